//! V5: volumes are private.

use orch_core::runtime::Volumes as _;

use super::VolumesFixture;
use super::steps::{EMPTY, files, name, pod};

/// No other user of the node can read what is in a volume, whatever the modes in there.
pub async fn others_cannot_read(fixture: impl VolumesFixture) {
    let volumes = fixture.open().await;
    let open = fixture.outside().join("open");
    fixture.write(&open, "for all");
    assert!(fixture.others_can_read(&open), "the fixture sees what others can read");
    let empty = volumes.make(&pod("a"), &name("empty"), &EMPTY).await.expect("a volume");
    fixture.write(&empty.join("a"), "written");
    let source = files(&[("a", "secret"), ("b/c", "secret")]);
    let files = volumes.make(&pod("a"), &name("files"), &source).await.expect("a volume");
    for path in [empty.join("a"), files.join("a"), files.join("b/c")] {
        assert!(fixture.read(&path).is_some(), "it is there");
        assert!(!fixture.others_can_read(&path), "V5: others can read {}", path.display());
    }
}
