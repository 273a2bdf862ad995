//! V6: a part of a volume stays within it.

use std::path::Path;

use orch_core::runtime::{HostPathType, Volumes as _};

use super::VolumesFixture;
use super::steps::{EMPTY, files, host_path, made, no_part, part, pod};

/// A part of a volume is found, or made as a folder; an empty path is the volume itself.
pub async fn a_part_is_found_or_made(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let path = made(&volumes, &EMPTY).await;
    fixture.write(&path.join("a/file"), "written");
    for whole in ["", ".", "./"] {
        assert_eq!(part(&volumes, &path, whole).await, path);
    }
    assert_eq!(fixture.read(&part(&volumes, &path, "a").await.join("file")).as_deref(), Some("written"));
    assert_eq!(fixture.read(&part(&volumes, &path, "a/file").await).as_deref(), Some("written"), "V6: of a file too");
    for _ in 0..2 {
        let new = part(&volumes, &path, "b/c//./d/").await;
        assert!(fixture.is_folder(&new) && fixture.is_folder(&path.join("b/c/d")), "V6: what is missing is made");
        fixture.write(&new.join("seen"), "within");
        assert_eq!(fixture.read(&path.join("b/c/d/seen")).as_deref(), Some("within"), "V6: it is a part of the volume");
    }
    fixture.delete(&path.join("a"));
    fixture.write(&path.join("a/file"), "written anew");
    assert_eq!(fixture.read(&part(&volumes, &path, "a").await.join("file")).as_deref(), Some("written anew"));
}

/// A path that is absolute, leads upwards or cannot be is Refused.
pub async fn a_path_that_leads_upwards_is_refused(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let path = made(&volumes, &EMPTY).await;
    let (long, deep) = ("x".repeat(256), "d/".repeat(40));
    for hostile in ["/", "/etc", "..", "a/..", "../other", "a/../../b", "a\0", &long, &deep] {
        no_part(&volumes, &path, hostile).await;
    }
}

/// A link out of the volume is Refused, at any place of the path, of a host path as well.
pub async fn a_link_out_of_the_volume_is_refused(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let (outside, host) = (fixture.outside().join("secret"), fixture.outside().join("host"));
    fixture.write(&outside.join("file"), "secret");
    fixture.write(&host.join("file"), "not secret");
    for source in [EMPTY, host_path(&host, HostPathType::Directory)] {
        let path = made(&volumes, &source).await;
        fixture.write(&path.join("a/file"), "written");
        fixture.link(&path.join("absolute"), &outside);
        fixture.link(&path.join("a/inner"), &outside.join("file"));
        fixture.link(&path.join("up"), Path::new("../../../../../../../../../.."));
        fixture.link(&path.join("a/up"), Path::new("../.."));
        fixture.link(&path.join("through"), Path::new("absolute/file"));
        fixture.link(&path.join("nowhere"), &outside.join("new"));
        for leads_out in [
            "absolute",
            "absolute/file",
            "absolute/new",
            "a/inner",
            "up",
            "up/etc",
            "a/up",
            "a/up/x",
            "through",
            "nowhere",
            "nowhere/x",
        ] {
            no_part(&volumes, &path, leads_out).await;
        }
        volumes.remove(&pod("a")).await.expect("removed");
    }
    assert!(!fixture.is_folder(&outside.join("new")), "V6: nothing is made outside");
    assert_eq!(fixture.read(&outside.join("file")).as_deref(), Some("secret"));
}

/// A link within the volume is followed.
pub async fn a_link_within_the_volume_is_followed(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let path = made(&volumes, &EMPTY).await;
    fixture.write(&path.join("releases/2/file"), "second");
    fixture.link(&path.join("current"), Path::new("releases/2"));
    fixture.link(&path.join("releases/same"), Path::new("../current"));
    for within in ["current", "releases/same"] {
        let found = part(&volumes, &path, within).await;
        assert_eq!(fixture.read(&found.join("file")).as_deref(), Some("second"), "V6: {within} stays within");
    }
}

/// A path through a file is Refused, and so is one to a file that a volume of files does not have.
pub async fn what_is_no_folder_has_no_parts(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let path = made(&volumes, &files(&[("a", "1"), ("b/c", "2")])).await;
    assert_eq!(fixture.read(&part(&volumes, &path, "a").await).as_deref(), Some("1"));
    assert_eq!(fixture.read(&part(&volumes, &path, "b/c").await).as_deref(), Some("2"));
    for wrong in ["a/b", "new", "b/new"] {
        no_part(&volumes, &path, wrong).await;
    }
}
