//! The names of a store's files, and which of them there are.

use std::collections::BTreeSet;

const LOG: &str = "log-";
const CHECKPOINT: &str = "checkpoint-";
const UNFINISHED: &str = ".unfinished";

/// The log of a segment.
pub(super) fn log(segment: u64) -> String {
    format!("{LOG}{segment:020}")
}

/// The checkpoint that a segment begins with.
pub(super) fn checkpoint(segment: u64) -> String {
    format!("{CHECKPOINT}{segment:020}")
}

/// What a file is called until it is complete.
pub(super) fn unfinished(name: &str) -> String {
    [name, UNFINISHED].concat()
}

/// The files that there are; those with other names are somebody else's.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) logs: BTreeSet<u64>,
    pub(super) checkpoints: BTreeSet<u64>,
    pub(super) unfinished: Vec<String>,
}

impl Files {
    pub(super) fn sort(names: Vec<String>) -> Self {
        let mut files = Self::default();
        for name in names {
            let complete = name.strip_suffix(UNFINISHED).unwrap_or(&name);
            let (logs, number) = match (complete.strip_prefix(LOG), complete.strip_prefix(CHECKPOINT)) {
                (Some(number), _) => (true, number),
                (_, Some(number)) => (false, number),
                _ => continue,
            };
            let Ok(segment) = number.parse() else { continue };
            match (complete.len() == name.len(), logs) {
                (false, _) => files.unfinished.push(name),
                (true, true) => drop(files.logs.insert(segment)),
                (true, false) => drop(files.checkpoints.insert(segment)),
            }
        }
        files
    }
}
