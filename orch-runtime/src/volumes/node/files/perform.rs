//! Looks at the folder, and does one step in it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Write as _};

use nix::sys::stat::SFlag;
use orch_core::runtime::VolumeFile;

use super::plan::{DATA, NEW, Observed, Step, target, version_name, version_of};
use crate::volumes::checked::FileSet;
use crate::volumes::node::delete::delete;
use crate::volumes::node::folder::{Folder, hand_over, is_folder, kind};

/// More than a volume has names; a container that may write into it can make any number.
const MOST_NAMES: usize = 100_000;
/// Everybody in the pod may look into the folders; the modes of the files decide.
pub(super) const FOLDER_MODE: u32 = 0o755;

/// Looks at what is there.
pub(super) fn observe(content: &Folder, wanted: &FileSet, group: Option<u32>) -> io::Result<Observed> {
    let mut observed = Observed::default();
    for name in content.names(MOST_NAMES)? {
        let link = content.link(&name)?;
        observed.entries.insert(name, link);
    }
    let linked = observed.entries.get(OsStr::new(DATA)).cloned().flatten();
    if let Some(version) = linked.as_deref().and_then(version_of)
        && let Ok(folder) = content.folder(&version_name(version))
    {
        observed.current = Some(version);
        observed.same = is_same(&folder, wanted, group)?;
    }
    Ok(observed)
}

/// Whether the files of a version are these and no others.
fn is_same(version: &Folder, wanted: &FileSet, group: Option<u32>) -> io::Result<bool> {
    for path in wanted.folders.iter().map(String::as_str).chain([""]) {
        let Ok(folder) = walk(version, path) else { return Ok(false) };
        let names = folder.names(MOST_NAMES)?;
        let names: BTreeSet<_> = names.iter().map(|name| name.to_str().unwrap_or("/")).collect();
        if folder.stat()?.st_mode & 0o7777 != FOLDER_MODE || names != wanted.names_in(path) {
            return Ok(false);
        }
    }
    for (path, file) in &wanted.files {
        let (folder, name) = split(path);
        let Ok(folder) = walk(version, folder) else { return Ok(false) };
        if !is_file(&folder, name, file, group)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_file(folder: &Folder, name: &str, wanted: &VolumeFile, group: Option<u32>) -> io::Result<bool> {
    let Some(stat) = folder.entry(name.as_ref())? else { return Ok(false) };
    let right = kind(&stat) == SFlag::S_IFREG
        && stat.st_mode & 0o7777 == wanted.mode
        && group.is_none_or(|group| stat.st_gid == group)
        && u64::try_from(stat.st_size) == Ok(wanted.content.len() as u64);
    // Whoever is not root may not read all of his own files, and writes them anew then.
    Ok(right
        && folder.read(name.as_ref(), wanted.content.len() as u64 + 1).is_ok_and(|content| content == wanted.content))
}

/// Does one step.
pub(super) fn perform(content: &Folder, step: &Step, wanted: &FileSet, group: Option<u32>) -> io::Result<()> {
    match step {
        Step::Remove(name) => delete(content, name),
        Step::MakeVersion(version) => make_folder(content, &version_name(*version)),
        Step::MakeFolder(version, path) => {
            let (folder, name) = split(path);
            make_folder(&walk(&content.folder(&version_name(*version))?, folder)?, name.as_ref())
        }
        Step::WriteFile(version, path) => {
            let (folder, name) = split(path);
            let folder = walk(&content.folder(&version_name(*version))?, folder)?;
            let Some(file) = wanted.files.get(path) else { return Ok(()) };
            let mut opened = folder.create(name.as_ref(), 0o600)?;
            opened.write_all(&file.content)?;
            hand_over(&opened, file.mode, group)
        }
        Step::Link(name) => link(content, name, &target(name)),
        Step::Switch(version) => link(content, DATA.as_ref(), &version_name(*version)),
    }
}

/// Makes a link in place of what is there, in one step unless that is a folder, which only a container can have made.
fn link(content: &Folder, name: &OsStr, target: &OsStr) -> io::Result<()> {
    delete(content, NEW.as_ref())?;
    content.make_link(NEW.as_ref(), target)?;
    if content.entry(name)?.is_some_and(|stat| is_folder(&stat)) {
        delete(content, name)?;
    }
    content.rename(NEW.as_ref(), content, name)
}

fn make_folder(parent: &Folder, name: &OsStr) -> io::Result<()> {
    parent.make_folder(name, 0o700)?;
    parent.folder(name)?.hand_over(FOLDER_MODE, None)
}

/// The folder at a path of plain names.
fn walk(version: &Folder, path: &str) -> io::Result<Folder> {
    version.folder(OsStr::new(if path.is_empty() { "." } else { path }))
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
