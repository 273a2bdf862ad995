//! [`VolumesFixture`]: what the suite needs to know of an implementation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use orch_core::runtime::Volumes;

/// A node with volumes, none at first, and the means to do in them what containers do.
#[async_trait]
pub trait VolumesFixture: Send + Sync + 'static {
    /// The implementation.
    type Volumes: Volumes;

    /// An agent's volumes on this node. The suite drops one before it opens the next, which is then the same
    /// configuration in a new process, as far as one process can show it.
    async fn open(&self) -> Self::Volumes;

    /// A folder of the node that every user can look into, and that is in no volume. It is there, and empty at first.
    fn outside(&self) -> PathBuf;

    /// Writes a file, with the folders that it is in; links are not followed on the way.
    fn write(&self, path: &Path, content: &str);

    /// Makes a link.
    fn link(&self, path: &Path, target: &Path);

    /// Deletes a file, a link, or a folder with everything in it, if it is there.
    fn delete(&self, path: &Path);

    /// What is in the file at a path; links are followed. `None` where no file is.
    fn read(&self, path: &Path) -> Option<String>;

    /// Whether there is a folder at a path; links are followed.
    fn is_folder(&self, path: &Path) -> bool;

    /// All files of a volume of files, as somebody reads them who takes care to read them of one moment.
    fn files(&self, volume: &Path) -> BTreeMap<String, String>;

    /// Something that is another after anything in a volume was written.
    fn stamp(&self, volume: &Path) -> String;

    /// Whether a user of the node who is neither root nor the agent can read a file.
    fn others_can_read(&self, path: &Path) -> bool;

    /// Everything that exists because of the volumes: files, folders, mounts. What is in [`outside`](Self::outside) is
    /// not among it.
    fn traces(&self) -> BTreeSet<String>;
}
