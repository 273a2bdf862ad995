//! Deletes a folder with everything in it, however deep and however large, following no link and entering no mount.

use std::ffi::{OsStr, OsString};
use std::io;

use nix::errno::Errno;

use super::folder::{Folder, is_folder};

/// So many names are held in memory.
const AT_A_TIME: usize = 10_000;

/// Deletes what has this name, whatever it is. What is not there is deleted.
///
/// Folders in folders are moved up to where the work is done, so that neither the depth of a tree nor the length of its
/// paths matters. After a crash the same call goes on.
pub(super) fn delete(parent: &Folder, name: &OsStr) -> io::Result<()> {
    let Some(stat) = parent.entry(name)? else { return Ok(()) };
    if !is_folder(&stat) {
        return parent.remove_file(name);
    }
    let top = enter(parent, name)?;
    let mut next = 0;
    loop {
        let names = top.names(AT_A_TIME)?;
        if names.is_empty() {
            return parent.remove_folder(name);
        }
        for name in names {
            empty(&top, &name, &mut next)?;
        }
    }
}

/// Removes one entry of the top; the folders in it become entries of the top.
fn empty(top: &Folder, name: &OsStr, next: &mut u64) -> io::Result<()> {
    if removed(top, name)? {
        return Ok(());
    }
    let folder = enter(top, name)?;
    for inner in folder.names(AT_A_TIME)? {
        if !removed(&folder, &inner)? {
            move_up(&folder, &inner, top, next)?;
        }
    }
    // If there is more in it, or somebody still writes into it, it gets another turn.
    match top.remove_folder(name) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        result => result,
    }
}

/// Removes what is not a folder, or is an empty one; tells whether it did.
fn removed(folder: &Folder, name: &OsStr) -> io::Result<bool> {
    match folder.entry(name)? {
        None => Ok(true),
        Some(stat) if !is_folder(&stat) => folder.remove_file(name).map(|()| true),
        Some(_) => match folder.remove_folder(name) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) => Err(error),
        },
    }
}

fn move_up(folder: &Folder, name: &OsStr, top: &Folder, next: &mut u64) -> io::Result<()> {
    loop {
        let free = OsString::from(format!(".removed-{next}"));
        *next += 1;
        match folder.rename(name, top, &free) {
            Err(error) if is_taken(&error) => {}
            // To move a folder its owner must be able to write into it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                folder.open_up(name)?;
                return folder.rename(name, top, &free);
            }
            result => return result,
        }
    }
}

fn is_taken(error: &io::Error) -> bool {
    [Errno::ENOTEMPTY, Errno::EEXIST, Errno::ENOTDIR].contains(&Errno::from_raw(error.raw_os_error().unwrap_or(0)))
}

/// Opens a folder to empty it, also one that its owner closed.
fn enter(parent: &Folder, name: &OsStr) -> io::Result<Folder> {
    let result = match parent.folder_of_same_mount(name) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => parent.open_up(name),
        Err(error) if error.raw_os_error() == Some(Errno::EXDEV as i32) => {
            let message = format!("something that others mounted is at {name:?}: unmount it, it is not ours to delete");
            return Err(io::Error::other(message));
        }
        Ok(folder) if !is_closed(&folder)? => return Ok(folder),
        Ok(_) => parent.open_up(name),
        Err(error) => return Err(error),
    };
    result.and_then(|()| parent.folder_of_same_mount(name))
}

/// Whether its owner may not remove what is in it.
fn is_closed(folder: &Folder) -> io::Result<bool> {
    Ok(folder.stat()?.st_mode & 0o300 != 0o300)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("orch-delete-{}-{name}", std::process::id()));
            fs::create_dir(&path).expect("a folder");
            Self(path)
        }

        fn delete(&self, name: &str) -> io::Result<()> {
            delete(&Folder::open(&self.0).expect("the folder"), OsStr::new(name))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).expect("nothing of it is in use");
        }
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let place = Place::new("links");
        fs::create_dir_all(place.0.join("outside/kept")).expect("folders");
        fs::create_dir_all(place.0.join("volume/a")).expect("folders");
        symlink(place.0.join("outside"), place.0.join("volume/a/link")).expect("a link");
        symlink("../outside", place.0.join("volume/link")).expect("a link");
        symlink("outside", place.0.join("alone")).expect("a link");
        place.delete("volume").expect("deleted");
        place.delete("alone").expect("deleted");
        place.delete("alone").expect("what is not there is deleted");
        assert_eq!(fs::read_dir(&place.0).expect("the folder").count(), 1);
        assert!(place.0.join("outside/kept").exists());
    }

    #[test]
    fn a_tree_deeper_than_any_path_and_stack_is_deleted() {
        let place = Place::new("deep");
        place.delete("volume").expect("nothing");
        let mut folder = Folder::open(&place.0).expect("the folder").own_folder(OsStr::new("volume")).expect("made");
        for depth in 0..5000 {
            folder.create(OsStr::new("file"), 0o600).expect("a file");
            folder = folder.own_folder(OsStr::new(if depth % 2 == 0 { "a" } else { ".removed-1" })).expect("made");
        }
        place.delete("volume").expect("deleted");
        assert!(!place.0.join("volume").exists());
    }

    #[test]
    fn what_its_owner_closed_is_deleted() {
        let place = Place::new("closed");
        fs::create_dir_all(place.0.join("volume/a/b/c/d")).expect("folders");
        for path in ["volume/a/b/c", "volume/a/b", "volume/a", "volume"] {
            fs::set_permissions(place.0.join(path), Permissions::from_mode(0o000)).expect("its own folder");
        }
        place.delete("volume").expect("deleted");
        assert!(!place.0.join("volume").exists());
    }
}
