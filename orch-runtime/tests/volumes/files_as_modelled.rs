//! Random updates of a volume of files, and the obviously right model of it: a map.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use orch_core::runtime::{PodUid, VolumeFile, VolumeName, VolumeSource, Volumes as _};
use orch_testkit::suite::volumes::VolumesFixture as _;
use proptest::prelude::*;

use crate::node_place::NodePlace;

/// Few names, so that files become folders and folders files.
fn paths() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c", ".d", "..e"]), 1..4)
        .prop_map(|names| names.join("/"))
}

fn file() -> impl Strategy<Value = VolumeFile> {
    let mode = prop::sample::select(vec![0o600, 0o400, 0o644, 0o755, 0o440]);
    let content = prop::collection::vec(any::<u8>(), 0..20);
    (content, mode).prop_map(|(content, mode)| VolumeFile { content: content.into(), mode })
}

fn update() -> impl Strategy<Value = BTreeMap<String, VolumeFile>> {
    prop::collection::btree_map(paths(), file(), 0..6)
}

/// Whether a map can be files at all.
fn is_possible(files: &BTreeMap<String, VolumeFile>) -> bool {
    let is_folder = |path: &String| files.keys().any(|other| other.starts_with(&format!("{path}/")));
    files.keys().all(|path| !path.starts_with("..") && !is_folder(path))
}

/// What a container reads, walking as it would.
fn seen(volume: &Path) -> BTreeMap<String, VolumeFile> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![String::new()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(volume.join(&folder)).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("text");
            if folder.is_empty() && name.starts_with("..") {
                continue;
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let metadata = std::fs::metadata(volume.join(&path)).expect("no link leads nowhere");
            if metadata.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(volume.join(&path)).expect("content").into();
                files.insert(path, VolumeFile { content, mode: metadata.permissions().mode() & 0o7777 });
            }
        }
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_files_are_those_of_the_last_update_that_was_possible(updates in prop::collection::vec(update(), 1..12)) {
        orch_testkit::suite::run(async {
            let place = NodePlace::new(false);
            let (pod, name): (PodUid, VolumeName) = ("a".parse().expect("valid"), "files".parse().expect("valid"));
            let (mut model, mut path) = (None, None);
            for files in updates {
                // Each update is another agent's.
                let volumes = place.open().await;
                let source = VolumeSource::Files { files: files.clone(), group: None };
                let made = volumes.make(&pod, &name, &source).await;
                prop_assert_eq!(made.is_ok(), is_possible(&files), "{:?}: {:?}", files, made);
                if let Ok(made) = made {
                    path = Some(made);
                    model = Some(files);
                }
                if let (Some(path), Some(model)) = (&path, &model) {
                    prop_assert_eq!(&seen(path), model);
                }
            }
            Ok(())
        })?;
    }
}
