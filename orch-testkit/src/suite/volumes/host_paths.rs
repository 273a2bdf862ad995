//! Files and folders of the node.

use std::path::Path;

use orch_core::runtime::HostPathType;

use super::VolumesFixture;
use super::steps::{host_path, made, refused};

/// What is at a host path must be what is expected; the refusal tells both.
pub async fn what_is_there_must_be_what_is_expected(fixture: impl VolumesFixture) {
    use HostPathType::{Any, BlockDevice, CharDevice, Directory, DirectoryOrCreate, File, FileOrCreate, Socket};
    let volumes = fixture.open().await;
    let [folder, file, link] = ["folder", "folder/file", "link"];
    let at = |name: &str| fixture.outside().join(name);
    fixture.write(&at(file), "content");
    fixture.link(&at(link), Path::new("folder"));
    for (name, fits) in [(folder, [Any, Directory, DirectoryOrCreate]), (file, [Any, File, FileOrCreate])] {
        for expects in fits {
            let path = made(&volumes, &host_path(at(name), expects)).await;
            assert_eq!(fixture.is_folder(&path), name == folder);
        }
        for expects in [Directory, DirectoryOrCreate, File, FileOrCreate, Socket, CharDevice, BlockDevice] {
            if !fits.contains(&expects) {
                let message = refused(&volumes, &host_path(at(name), expects)).await;
                let found = if name == folder { "a folder" } else { "a file" };
                assert!(message.contains(found) && message.contains("expected"), "{message}");
            }
        }
    }
    let path = made(&volumes, &host_path(at(link), Directory)).await;
    assert_eq!(path, made(&volumes, &host_path(at(folder), Directory)).await, "links of the node are its own");
}

/// What is missing at a host path is made only if that is asked for, and is Refused otherwise.
pub async fn what_is_missing_is_made_if_asked_for(fixture: impl VolumesFixture) {
    use HostPathType::{Any, BlockDevice, CharDevice, Directory, DirectoryOrCreate, File, FileOrCreate, Socket};
    let volumes = fixture.open().await;
    let at = |name: &str| fixture.outside().join(name);
    for expects in [Any, Directory, File, Socket, CharDevice, BlockDevice] {
        let message = refused(&volumes, &host_path(at("missing"), expects)).await;
        assert!(message.contains("there is nothing"), "{message}");
    }
    refused(&volumes, &host_path(at("no/folder/file"), FileOrCreate)).await;
    assert!(!fixture.is_folder(&at("no")) && !fixture.is_folder(&at("missing")));
    for _ in 0..2 {
        let path = made(&volumes, &host_path(at("new/folder"), DirectoryOrCreate)).await;
        assert!(fixture.is_folder(&path) && fixture.is_folder(&at("new/folder")));
        made(&volumes, &host_path(at("new/file"), FileOrCreate)).await;
        assert_eq!(fixture.read(&at("new/file")).as_deref(), Some(""));
    }
    refused(&volumes, &host_path(at("new/file/below"), DirectoryOrCreate)).await;
}

/// A host path that is not absolute, leads upwards or cannot be is Refused.
pub async fn hostile_paths_are_refused(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let outside = fixture.outside();
    fixture.write(&outside.join("a/b"), "content");
    let long = format!("/{}", "x".repeat(300));
    for hostile in ["", "relative", "./a", "..", "/..", "/a\0b", &long] {
        refused(&volumes, &host_path(hostile, HostPathType::Any)).await;
    }
    refused(&volumes, &host_path(outside.join("a/../a/b"), HostPathType::Any)).await;
}

/// Nothing is made through a link that leads nowhere.
pub async fn a_link_that_leads_nowhere_is_not_followed(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let outside = fixture.outside();
    fixture.link(&outside.join("link"), &outside.join("target"));
    for expects in [HostPathType::Any, HostPathType::DirectoryOrCreate, HostPathType::FileOrCreate] {
        refused(&volumes, &host_path(outside.join("link"), expects)).await;
    }
    assert!(!fixture.is_folder(&outside.join("target")) && fixture.read(&outside.join("target")).is_none());
}
