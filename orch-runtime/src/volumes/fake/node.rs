//! [`Node`]: the files of a node that is in memory.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use orch_core::runtime::{HostPathType, VolumeFile};

/// A file of a node that is in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeFile {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// What is in it.
        content: Vec<u8>,
        /// Who may do what with it.
        mode: u32,
    },
    /// A link to this path.
    Link(PathBuf),
    /// A unix socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

impl NodeFile {
    pub(super) fn file(file: &VolumeFile) -> Self {
        Self::File { content: file.content.to_vec(), mode: file.mode }
    }

    /// Whether it is what a pod expects.
    pub(super) fn is(&self, expected: HostPathType) -> bool {
        match expected {
            HostPathType::Directory | HostPathType::DirectoryOrCreate => *self == Self::Folder,
            HostPathType::File | HostPathType::FileOrCreate => matches!(self, Self::File { .. }),
            HostPathType::Socket => *self == Self::Socket,
            HostPathType::CharDevice => *self == Self::CharDevice,
            HostPathType::BlockDevice => *self == Self::BlockDevice,
            _ => true,
        }
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Folder => "a folder",
            Self::File { .. } => "a file",
            Self::Link(_) => "a link",
            Self::Socket => "a socket",
            Self::CharDevice => "a character device",
            Self::BlockDevice => "a block device",
        }
    }
}

/// The files, by their paths. Every folder that something is in is there, too.
#[derive(Debug, Default)]
pub(super) struct Node(BTreeMap<PathBuf, NodeFile>);

/// So many links are followed, as on Linux.
const MOST_LINKS: u32 = 40;

impl Node {
    pub(super) fn put(&mut self, path: &Path, file: NodeFile) {
        self.delete(path);
        for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
            self.0.entry(folder.to_owned()).or_insert(NodeFile::Folder);
        }
        self.0.insert(path.to_owned(), file);
    }

    /// What is at a path; no link is followed.
    pub(super) fn get(&self, path: &Path) -> Option<&NodeFile> {
        self.0.get(path)
    }

    /// Deletes what is at a path, with everything in it.
    pub(super) fn delete(&mut self, path: &Path) {
        self.0.retain(|there, _| !there.starts_with(path));
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.keys()
    }

    /// Bytes in the files below a path.
    pub(super) fn bytes(&self, path: &Path) -> u64 {
        let size = |(_, file): (&PathBuf, &NodeFile)| match file {
            NodeFile::File { content, .. } => content.len() as u64,
            _ => 0,
        };
        self.0.iter().filter(|(there, _)| there.starts_with(path)).map(size).sum()
    }

    /// Where a path leads to by all its links; `None` if nothing is there.
    pub(super) fn real(&self, path: &Path) -> Option<PathBuf> {
        let mut links = 0;
        let mut rest: Vec<PathBuf> = parts(path);
        let mut real = PathBuf::from("/");
        while let Some(part) = rest.pop() {
            if part == Path::new("..") {
                real.pop();
                continue;
            }
            let next = real.join(&part);
            match self.0.get(&next)? {
                NodeFile::Link(target) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return None;
                    }
                    if target.is_absolute() {
                        real = PathBuf::from("/");
                    }
                    rest.extend(parts(target));
                }
                NodeFile::Folder => real = next,
                _ if rest.is_empty() => real = next,
                _ => return None,
            }
        }
        Some(real)
    }
}

/// The names of a path, the last one first.
fn parts(path: &Path) -> Vec<PathBuf> {
    let names = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    let mut parts: Vec<_> = names.map(|part| PathBuf::from(part.as_os_str())).collect();
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_they_would_on_linux() {
        let mut node = Node::default();
        node.put(Path::new("/a/b/c"), NodeFile::File { content: vec![1, 2], mode: 0o600 });
        for (path, target) in [("/a/up", ".."), ("/to", "a/b"), ("/round", "round"), ("/abs", "/to/c"), ("/none", "/x")]
        {
            node.put(Path::new(path), NodeFile::Link(target.into()));
        }
        let table = [
            ("/", Some("/")),
            ("/a/b/c", Some("/a/b/c")),
            ("/to/c", Some("/a/b/c")),
            ("/a/up/to", Some("/a/b")),
            ("/abs", Some("/a/b/c")),
            ("/round", None),
            ("/none", None),
            ("/a/b/c/d", None),
            ("/a/b/../up/a", Some("/a")),
        ];
        for (path, real) in table {
            assert_eq!(node.real(Path::new(path)).as_deref(), real.map(Path::new), "{path}");
        }
        assert_eq!(node.bytes(Path::new("/a")), 2);
        node.delete(Path::new("/a"));
        assert_eq!(node.real(Path::new("/to")), None);
    }
}
