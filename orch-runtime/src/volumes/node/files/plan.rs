//! The steps from what is there to what is wanted. A crash between any two leaves the old files or the new ones.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::volumes::checked::FileSet;

/// The link to the version that is valid.
pub(super) const DATA: &str = "..data";
/// A link that is about to be renamed.
pub(super) const NEW: &str = "..new";
const VERSION: &str = "..version-";

/// What is in the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Observed {
    /// The version that is valid, if there is one.
    pub(super) current: Option<u64>,
    /// Whether its files are those that are wanted.
    pub(super) same: bool,
    /// Everything in the folder; where a link points to.
    pub(super) entries: BTreeMap<OsString, Option<OsString>>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Remove what has this name.
    Remove(OsString),
    /// Make the folder of a version.
    MakeVersion(u64),
    /// Make a folder in it.
    MakeFolder(u64, String),
    /// Write a file in it.
    WriteFile(u64, String),
    /// Make the link by which containers see what has this name.
    Link(OsString),
    /// Make a version the valid one.
    Switch(u64),
}

/// What is to be done, in order.
pub(super) fn steps(observed: &Observed, wanted: &FileSet) -> Vec<Step> {
    let current = observed.current.map(version_name);
    let is_leftover = |name: &OsStr| {
        name == NEW || (name.as_encoded_bytes().starts_with(VERSION.as_bytes()) && current.as_deref() != Some(name))
    };
    let leftovers = observed.entries.keys().filter(|name| is_leftover(name)).cloned();
    let mut steps: Vec<Step> = leftovers.map(Step::Remove).collect();
    let next = observed.current.and_then(|current| current.checked_add(1)).unwrap_or(1);
    if !observed.same {
        steps.push(Step::MakeVersion(next));
        steps.extend(wanted.folders.iter().map(|path| Step::MakeFolder(next, path.clone())));
        steps.extend(wanted.files.keys().map(|path| Step::WriteFile(next, path.clone())));
    }
    // Links to new files come before the files: until these are valid, they lead nowhere.
    let names = wanted.top_names();
    let is_linked = |name: &str| observed.entries.get(OsStr::new(name)) == Some(&Some(target(name.as_ref())));
    steps.extend(names.iter().filter(|name| !is_linked(name)).map(|name| Step::Link(name.into())));
    if !observed.same {
        steps.push(Step::Switch(next));
    }
    let is_stale = |(name, link): &(&OsString, &Option<OsString>)| {
        link.as_ref() == Some(&target(name)) && !name.to_str().is_some_and(|name| names.contains(name))
    };
    steps.extend(observed.entries.iter().filter(is_stale).map(|(name, _)| Step::Remove(name.clone())));
    if !observed.same {
        steps.extend(current.map(Step::Remove));
    }
    steps
}

/// The name of the folder of a version.
pub(super) fn version_name(version: u64) -> OsString {
    format!("{VERSION}{version}").into()
}

/// The version whose folder has this name.
pub(super) fn version_of(name: &OsStr) -> Option<u64> {
    let version = name.to_str()?.strip_prefix(VERSION)?.parse().ok()?;
    (version_name(version) == name).then_some(version)
}

/// Where the link of this name points to.
pub(super) fn target(name: &OsStr) -> OsString {
    let mut target = OsString::from(DATA);
    target.push("/");
    target.push(name);
    target
}

#[cfg(test)]
mod tests {
    use orch_core::runtime::VolumeFile;

    use super::*;

    fn files(paths: &[&str]) -> FileSet {
        let file = |path: &&str| ((*path).to_owned(), VolumeFile { content: "x".into(), mode: 0o600 });
        FileSet::new(&paths.iter().map(file).collect(), None).expect("valid")
    }

    fn observed(current: Option<u64>, same: bool, entries: &[(&str, Option<&str>)]) -> Observed {
        let entries = entries.iter().map(|(name, link)| (name.into(), link.map(OsString::from))).collect();
        Observed { current, same, entries }
    }

    #[test]
    fn nothing_is_done_when_everything_is_right() {
        let entries =
            [("..data", Some("..version-1")), ("..version-1", None), ("a", Some("..data/a")), ("theirs", None)];
        assert_eq!(steps(&observed(Some(1), true, &entries), &files(&["a"])), []);
    }

    #[test]
    fn what_an_update_did_not_get_to_is_done() {
        let entries = [
            ("..data", Some("..version-2")),
            ("..version-1", None),
            ("..version-2", None),
            ("..new", Some("a")),
            ("gone", Some("..data/gone")),
            ("theirs", Some("elsewhere")),
        ];
        let expected = [
            Step::Remove("..new".into()),
            Step::Remove("..version-1".into()),
            Step::Link("a".into()),
            Step::Remove("gone".into()),
        ];
        assert_eq!(steps(&observed(Some(2), true, &entries), &files(&["a"])), expected);
    }

    #[test]
    fn links_come_first_and_the_old_goes_last() {
        let entries = [("..data", Some("..version-9")), ("..version-9", None), ("a", Some("..data/a"))];
        let expected = [
            Step::MakeVersion(10),
            Step::MakeFolder(10, "b".into()),
            Step::WriteFile(10, "b/c".into()),
            Step::Link("b".into()),
            Step::Switch(10),
            Step::Remove("a".into()),
            Step::Remove("..version-9".into()),
        ];
        assert_eq!(steps(&observed(Some(9), false, &entries), &files(&["b/c"])), expected);
    }

    #[test]
    fn versions_are_named_in_one_way_only() {
        for name in
            ["..version-", "..version-01", "..version--1", "..version-+1", "version-1", "..version-1/..", "/etc"]
        {
            assert_eq!(version_of(OsStr::new(name)), None, "{name}");
        }
        assert_eq!(version_of(&version_name(u64::MAX)), Some(u64::MAX));
        let wraps = observed(Some(u64::MAX), false, &[]);
        assert_eq!(steps(&wraps, &files(&[]))[0], Step::MakeVersion(1));
    }
}
