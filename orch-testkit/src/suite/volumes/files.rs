//! V2: all files change at once.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use orch_core::runtime::Volumes as _;

use super::VolumesFixture;
use super::steps::{files, made, name, pod, text};

/// The files of a generation: every one has it in it, and each generation has a file that the others do not have.
fn generation(number: u32) -> Vec<(String, String)> {
    let own = format!("own/{number}");
    let paths = ["a", "b", "c/d", "c/e/f"].map(str::to_owned).into_iter().chain([own]);
    paths.map(|path| (path, number.to_string())).collect()
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect()
}

fn is_whole(seen: &BTreeMap<String, String>) -> bool {
    let number = seen.get("a").and_then(|number| number.parse().ok());
    number.is_some_and(|number| *seen == text(&borrowed(&generation(number))))
}

/// While files change, whoever reads them sees all of them as they were or all of them as they are.
pub async fn all_files_change_at_once(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let path = made(&volumes, &files(&borrowed(&generation(0)))).await;
    let update = async {
        for number in 1..=20 {
            made(&volumes, &files(&borrowed(&generation(number)))).await;
        }
    };
    let read = async {
        loop {
            let seen = fixture.files(&path);
            assert!(is_whole(&seen), "V2: files of several moments are seen: {seen:?}");
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = update => {}
        () = read => {}
    }
    assert_eq!(fixture.files(&path), text(&borrowed(&generation(20))));
}

/// When the future of an update is dropped, at any moment, the files are the old or the new.
pub async fn an_update_that_nobody_waits_for_leaves_the_old_or_the_new(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let path = made(&volumes, &files(&borrowed(&generation(0)))).await;
    for number in 1..=8 {
        let source = files(&borrowed(&generation(number)));
        let (pod, name) = (pod("a"), name("data"));
        let mut update = volumes.make(&pod, &name, &source);
        for _ in 0..number {
            if (&mut update).now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(update);
        let seen = fixture.files(&path);
        assert!(is_whole(&seen), "V2: half an update is seen: {seen:?}");
    }
    made(&volumes, &files(&borrowed(&generation(9)))).await;
    assert_eq!(fixture.files(&path), text(&borrowed(&generation(9))), "V2: the next update is whole");
}

/// After an update the files are those of the update and no others.
pub async fn files_that_are_no_longer_wanted_go(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let path = made(&volumes, &files(&[("a", "1"), ("b/c", "1"), ("b/d", "1"), ("e", "1")])).await;
    for wanted in [&[("a", "1"), ("b/c", "1")] as &[_], &[("b", "1")], &[], &[("b/c", "2"), ("e", "")]] {
        made(&volumes, &files(wanted)).await;
        assert_eq!(fixture.files(&path), text(wanted), "V2: the files are those of the update");
        for file in ["a", "b", "b/c", "b/d", "e"] {
            let content = wanted.iter().find(|(path, _)| *path == file).map(|(_, content)| *content);
            assert_eq!(fixture.read(&path.join(file)).as_deref(), content, "V2: {file} of {wanted:?}");
        }
    }
}

/// Files have their content, in folders as well, and empty ones too.
pub async fn files_have_their_content(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let (name, long) = ("x".repeat(255), "long ".repeat(40_000));
    let deep = vec!["d"; 32].join("/");
    let wanted = [
        ("a", "1\n"),
        (".hidden", "2"),
        ("b/..c", ""),
        ("with space", "3"),
        ("ä/ö", "4"),
        (&name, "5"),
        (&deep, &long),
    ];
    let path = made(&volumes, &files(&wanted)).await;
    assert_eq!(fixture.files(&path), text(&wanted));
    for (file, content) in wanted {
        assert_eq!(fixture.read(&path.join(file)).as_deref(), Some(content), "{file}");
    }
}
