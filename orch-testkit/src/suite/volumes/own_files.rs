//! V7: files of their own.

use orch_core::runtime::Volumes as _;

use super::VolumesFixture;
use super::steps::{EMPTY, made, name, pod};

/// A file that was made is read, its beginning if it is longer, and stays as it is when it is made again.
pub async fn a_file_of_its_own_is_made_and_read(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let volume = made(&volumes, &EMPTY).await;
    let read = async |file: &str, most| {
        let content = volumes.read(&pod("a"), &name("data"), file, most).await.expect("it can be read");
        content.map(|content| String::from_utf8_lossy(&content).into_owned())
    };
    assert_eq!(read("words", 10).await, None, "V7: there is none yet");
    let path = volumes.touch(&pod("a"), &name("data"), "words").await.expect("a file");
    assert_eq!(path, volume.join("words"), "V7: it is directly below the volume");
    assert_eq!(read("words", 10).await.as_deref(), Some(""), "V7: it is empty at first");
    fixture.write(&path, "last words");
    volumes.touch(&pod("a"), &name("data"), "words").await.expect("a file that is there");
    assert_eq!(read("words", 100).await.as_deref(), Some("last words"), "V7: what is there stays");
    assert_eq!(read("words", 4).await.as_deref(), Some("last"), "V7: no more than asked for");
}

/// A file that is removed is gone, and no other; what is not there is removed.
pub async fn a_file_that_is_removed_is_gone(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let remove = async |file: &str| volumes.remove_file(&pod("a"), &name("data"), file).await;
    remove("words").await.expect("V7: a volume that is not there has no files");
    let volume = made(&volumes, &EMPTY).await;
    for file in ["words", "others"] {
        let path = volumes.touch(&pod("a"), &name("data"), file).await.expect("a file");
        fixture.write(&path, file);
    }
    for _ in 0..2 {
        remove("words").await.expect("V7: it is removed, or was");
        assert_eq!(fixture.read(&volume.join("words")), None, "V7: it is gone");
        assert_eq!(fixture.read(&volume.join("others")).as_deref(), Some("others"), "V7: it was not to be removed");
    }
    let outside = fixture.outside().join("outside");
    fixture.write(&outside, "the node's");
    fixture.link(&volume.join("words"), &outside);
    remove("words").await.expect("V7: a link is removed itself");
    assert_eq!(fixture.read(&volume.join("words")), None, "V7: the link is gone");
    assert_eq!(fixture.read(&outside).as_deref(), Some("the node's"), "V7: what it leads to stays");
    for hostile in ["", ".", "..", "a/b", "/etc/passwd", "a\0b"] {
        assert!(remove(hostile).await.is_err(), "V7: {hostile:?} is no plain name");
    }
}

/// A link in the place of such a file is not read through.
pub async fn a_link_in_its_place_is_not_read_through(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let volume = made(&volumes, &EMPTY).await;
    let secret = fixture.outside().join("secret");
    fixture.write(&secret, "secret");
    fixture.link(&volume.join("words"), &secret);
    let read = volumes.read(&pod("a"), &name("data"), "words", 100).await;
    assert!(!matches!(&read, Ok(Some(content)) if !content.is_empty()), "V7: it reads what a link leads to: {read:?}");
    for hostile in ["", ".", "..", "a/b", "/etc/passwd", "a\0b"] {
        assert!(volumes.touch(&pod("a"), &name("data"), hostile).await.is_err(), "V7: {hostile:?} is no plain name");
        assert!(volumes.read(&pod("a"), &name("data"), hostile, 9).await.is_err(), "V7: {hostile:?} is no plain name");
    }
}
