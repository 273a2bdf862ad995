//! V3: nothing escapes.

use orch_core::runtime::Volumes as _;

use super::VolumesFixture;
use super::steps::{EMPTY, files, made, pod, refused, text};

/// Names of files that lead out of the volume, or cannot be, are Refused, and the files stay as they were.
pub async fn hostile_names_of_files_are_refused(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let path = made(&volumes, &files(&[("a", "1")])).await;
    let (outside, long) = (fixture.outside().join("x").display().to_string(), "x".repeat(256));
    let deep = "d/".repeat(40) + "d";
    let hostile = [
        "",
        "/",
        ".",
        "..",
        "../x",
        "b/../../x",
        "b/..",
        "..data",
        "..data/x",
        "..x",
        "b//c",
        "b/",
        "./b",
        "b\0c",
        &outside,
        &long,
        &deep,
    ];
    for name in hostile {
        let message = refused(&volumes, &files(&[("a", "2"), (name, "x")])).await;
        assert!(!message.is_empty(), "V3: {name:?}");
        assert_eq!(fixture.files(&path), text(&[("a", "1")]), "V3: after {name:?}");
    }
    refused(&volumes, &files(&[("a", "2"), ("a/b", "2")])).await;
    assert_eq!(fixture.files(&path), text(&[("a", "1")]));
    assert_eq!(fixture.read(&fixture.outside().join("x")), None, "V3: nothing is outside");
}

/// A link that a container put in the place of a file, or of a folder, is not written through.
pub async fn a_link_in_the_place_of_a_file_is_not_written_through(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let (secret, folder) = (fixture.outside().join("kept"), fixture.outside().join("folder"));
    fixture.write(&secret, "kept");
    fixture.write(&folder.join("c"), "kept");
    let path = made(&volumes, &files(&[("a", "1"), ("b/c", "1")])).await;
    for (number, name) in ["a", "b", "..data", "new"].into_iter().enumerate() {
        fixture.delete(&path.join(name));
        fixture.link(&path.join(name), if name == "a" { &secret } else { &folder });
        let content = format!("{}", number + 2);
        let wanted = [("a", content.as_str()), ("b/c", &content), ("new", &content)];
        made(&volumes, &files(&wanted)).await;
        for (file, content) in wanted {
            assert_eq!(fixture.read(&path.join(file)).as_deref(), Some(content), "V3: {file}, after a link at {name}");
        }
        for kept in [&secret, &folder.join("c")] {
            assert_eq!(fixture.read(kept).as_deref(), Some("kept"), "V3: after a link at {name}");
        }
    }
}

/// Removal follows no link that a container made.
pub async fn removal_follows_no_link(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let outside = fixture.outside();
    fixture.write(&outside.join("folder/kept"), "kept");
    let path = made(&volumes, &EMPTY).await;
    fixture.write(&path.join("a/b/file"), "goes");
    fixture.link(&path.join("link"), &outside);
    fixture.link(&path.join("a/b/link"), &outside.join("folder"));
    fixture.link(&path.join("a/b/file-link"), &outside.join("folder/kept"));
    volumes.remove(&pod("a")).await.expect("removed");
    assert_eq!(fixture.read(&outside.join("folder/kept")).as_deref(), Some("kept"), "V3: removal follows no link");
}
