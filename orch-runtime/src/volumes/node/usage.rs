//! How much of the disk a folder takes, by walking through it: blocks, each file once however many names it has, no
//! link followed, no mount entered.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;

use super::folder::{Folder, Identity, is_folder};

/// So many files are looked at. Beyond them, what was counted is told: walking on would take the node's time.
const MOST_ENTRIES: u64 = 1 << 20;
/// `st_blocks` counts in these, whatever the file system's own blocks are.
const BLOCK: u64 = 512;

/// Bytes of the disk that a folder and all in it take; what is moved or removed meanwhile may not be counted.
///
/// One folder is open at a time, so the depth of a tree does not matter: the way back is `..`, and if that is not
/// where the walk came from, something was moved and the walk ends.
pub(super) fn used(top: Folder) -> io::Result<u64> {
    let mut walk = Walk { bytes: bytes(&top.stat()?), entries: 0, seen: BTreeSet::new() };
    let mut above: Vec<(Identity, Vec<OsString>)> = Vec::new();
    let mut folders = walk.count(&top)?;
    let mut current = top;
    loop {
        if let Some(name) = folders.pop() {
            // It may be gone, be something else by now, or be closed to those who are not root.
            let Ok(inner) = current.folder_of_same_mount(&name) else { continue };
            above.push((Identity::of(&current.stat()?), std::mem::take(&mut folders)));
            folders = walk.count(&inner)?;
            current = inner;
        } else if let Some((identity, rest)) = above.pop() {
            current = current.parent()?;
            if Identity::of(&current.stat()?) != identity {
                return Ok(walk.bytes);
            }
            folders = rest;
        } else {
            return Ok(walk.bytes);
        }
        if walk.entries >= MOST_ENTRIES {
            return Ok(walk.bytes);
        }
    }
}

struct Walk {
    bytes: u64,
    entries: u64,
    /// Files of several names that were counted.
    seen: BTreeSet<Identity>,
}

impl Walk {
    /// Counts what is in a folder, and returns the names of the folders in it.
    fn count(&mut self, folder: &Folder) -> io::Result<Vec<OsString>> {
        let mut folders = Vec::new();
        folder.each(|name| {
            self.entries += 1;
            let go_on = self.entries < MOST_ENTRIES;
            let Some(stat) = folder.entry(name)? else { return Ok(go_on) };
            if is_folder(&stat) {
                folders.push(name.to_owned());
            } else if stat.st_nlink > 1 && !self.seen.insert(Identity::of(&stat)) {
                return Ok(go_on);
            }
            self.bytes = self.bytes.saturating_add(bytes(&stat));
            Ok(go_on)
        })?;
        Ok(folders)
    }
}

fn bytes(stat: &nix::sys::stat::FileStat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(BLOCK)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    #[test]
    fn blocks_count_once_and_links_lead_nowhere() {
        let root = std::env::temp_dir().join(format!("orch-usage-{}", std::process::id()));
        fs::create_dir_all(root.join("a/b")).expect("folders");
        fs::write(root.join("a/large"), vec![1; 1 << 20]).expect("a file");
        fs::File::create(root.join("sparse")).and_then(|file| file.set_len(1 << 40)).expect("a file");
        let own = |path: &str| fs::metadata(root.join(path)).expect("it is there").blocks() * BLOCK;
        let expected = [".", "a", "a/b", "a/large", "sparse"].map(own).iter().sum::<u64>();
        assert!(own("sparse") < 1 << 20, "a hole takes nothing");
        let measure = || used(Folder::open(&root).expect("the folder")).expect("measured");
        assert_eq!(measure(), expected);
        fs::hard_link(root.join("a/large"), root.join("a/b/again")).expect("a name");
        assert_eq!(measure(), expected, "another name takes nothing");
        symlink("/", root.join("a/b/everything")).expect("a link");
        symlink("..", root.join("a/b/up")).expect("a link");
        assert!(measure() <= expected + 2 * 4096, "a link takes no more than itself");
        fs::remove_dir_all(&root).expect("removed");
    }

    #[test]
    fn depth_does_not_matter() {
        let root = std::env::temp_dir().join(format!("orch-usage-deep-{}", std::process::id()));
        fs::create_dir(&root).expect("a folder");
        let mut folder = Folder::open(&root).expect("the folder");
        for _ in 0..3000 {
            folder = folder.own_folder("a".as_ref()).expect("made");
        }
        std::io::Write::write_all(&mut folder.create("file".as_ref(), 0o600).expect("a file"), &[1; 1 << 20])
            .expect("written");
        assert!(used(Folder::open(&root).expect("the folder")).expect("measured") >= 1 << 20);
        let parent = Folder::open(root.parent().expect("one")).expect("the folder");
        super::super::delete::delete(&parent, root.file_name().expect("one")).expect("deleted");
    }
}
