//! [`FakePlace`]: what the suite of volumes needs to know of [`FakeVolumes`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use orch_runtime::volumes::{FakeVolumes, NodeFile};
use orch_testkit::suite::volumes::VolumesFixture;

pub(crate) struct FakePlace {
    volumes: FakeVolumes,
}

impl FakePlace {
    pub(crate) fn new() -> Self {
        let volumes = FakeVolumes::new();
        volumes.put("/outside", NodeFile::Folder);
        Self { volumes }
    }
}

#[async_trait]
impl VolumesFixture for FakePlace {
    type Volumes = FakeVolumes;

    async fn open(&self) -> FakeVolumes {
        self.volumes.clone()
    }

    fn outside(&self) -> PathBuf {
        "/outside".into()
    }

    fn write(&self, path: &Path, content: &str) {
        self.volumes.put(path, NodeFile::File { content: content.into(), mode: 0o644 });
    }

    fn link(&self, path: &Path, target: &Path) {
        self.volumes.put(path, NodeFile::Link(target.to_owned()));
    }

    fn delete(&self, path: &Path) {
        self.volumes.delete(path);
    }

    fn read(&self, path: &Path) -> Option<String> {
        match self.volumes.get(path)? {
            NodeFile::File { content, .. } => Some(String::from_utf8(content).expect("text")),
            _ => None,
        }
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.volumes.get(path) == Some(NodeFile::Folder)
    }

    fn files(&self, volume: &Path) -> BTreeMap<String, String> {
        let file = |path: PathBuf| {
            let name = path.strip_prefix(volume).ok()?.to_str()?.to_owned();
            Some((name, self.read(&path)?))
        };
        self.volumes.paths().into_iter().filter_map(file).collect()
    }

    fn stamp(&self, _: &Path) -> String {
        self.volumes.writes().to_string()
    }

    fn others_can_read(&self, path: &Path) -> bool {
        // The folder of all volumes is closed to them.
        let mode = match self.volumes.get(path) {
            Some(NodeFile::File { mode, .. }) => mode,
            _ => 0,
        };
        !path.starts_with("/volumes") && mode & 0o004 != 0
    }

    fn traces(&self) -> BTreeSet<String> {
        let paths = self.volumes.paths().into_iter();
        // The folder of all volumes stays.
        let made = paths.filter(|path| path.starts_with("/volumes") && path != Path::new("/volumes"));
        made.map(|path| path.display().to_string()).collect()
    }
}
