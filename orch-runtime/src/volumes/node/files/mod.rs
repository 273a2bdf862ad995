//! A volume of files that are replaced all at once.
//!
//! The files of a version are in a folder of its own. The link `..data` points to the version that is valid, and what
//! containers see is a link through `..data`; so one renaming of one link replaces everything.

mod perform;
mod plan;

use std::io;

use super::folder::Folder;
use crate::volumes::checked::FileSet;

/// Makes the files of a volume these. Nothing is written if they are.
pub(super) fn make(content: &Folder, files: &FileSet, group: Option<u32>) -> io::Result<()> {
    let observed = perform::observe(content, files, group)?;
    plan::steps(&observed, files).iter().try_for_each(|step| perform::perform(content, step, files, group))
}

#[cfg(test)]
mod tests;
