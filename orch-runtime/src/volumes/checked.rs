//! Paths and files as users ask for them, checked before they go anywhere: [`FileSet`], [`SubPath`], [`HostPath`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use orch_core::runtime::{VolumeError, VolumeFile};

/// The longest name that file systems take.
const LONGEST_NAME: usize = 255;
/// The longest path below a volume; with what is above it, it stays below the kernel's 4096.
const LONGEST_PATH: usize = 2048;
/// The longest path of the node.
const LONGEST_HOST_PATH: usize = 4095;
/// More folders in one another than anybody means.
const DEEPEST: usize = 32;
/// Files in one volume.
const MOST_FILES: usize = 4096;
/// Bytes in the files of one volume: several of the largest objects that a store takes.
const MOST_BYTES: usize = 32 << 20;

/// Something of the request is wrong.
pub(super) fn refused(message: impl Into<String>) -> VolumeError {
    VolumeError::Refused { message: message.into() }
}

/// A name of something directly below a volume, checked.
pub(super) fn plain_name(text: &str) -> Result<&str, VolumeError> {
    match plain_names(text)?[..] {
        [name] if name == text => Ok(text),
        _ => Err(refused(format!("{text:?} is not one plain name: use one without '/'"))),
    }
}

/// The files of a volume, by checked paths, with their final modes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileSet {
    /// Relative paths with `/` between plain names, none of which is also a folder.
    pub(super) files: BTreeMap<String, VolumeFile>,
    /// The folders that the files are in, each after those that it is in.
    pub(super) folders: BTreeSet<String>,
}

impl FileSet {
    pub(super) fn new(files: &BTreeMap<String, VolumeFile>, group: Option<u32>) -> Result<Self, VolumeError> {
        let bytes = files.values().fold(0, |sum: usize, file| sum.saturating_add(file.content.len()));
        if files.len() > MOST_FILES || bytes > MOST_BYTES {
            let (count, most) = (files.len(), MOST_BYTES >> 20);
            return Err(refused(format!(
                "{count} files with {bytes} bytes are too much for a volume: at most {MOST_FILES} and {most} MiB"
            )));
        }
        let mut set = Self::default();
        for (path, file) in files {
            let names = plain_names(path)?;
            if names.is_empty() || names.join("/") != *path || path.starts_with("..") {
                return Err(refused(format!(
                    "{path:?} is not a path for a file of a volume: use names with '/' between them, the first not \
                     beginning with '..'"
                )));
            }
            if file.mode > 0o777 {
                return Err(refused(format!("file {path:?} has mode {:o}: at most 777 is possible", file.mode)));
            }
            // Kubernetes' rule for volumes with a group.
            let mode = if group.is_some() { file.mode | 0o440 } else { file.mode };
            set.files.insert(path.clone(), VolumeFile { content: file.content.clone(), mode });
            set.folders.extend((1..names.len()).map(|depth| names[..depth].join("/")));
        }
        match set.folders.iter().find(|folder| files.contains_key(*folder)) {
            Some(both) => Err(refused(format!("{both:?} would be a file and a folder: rename one of them"))),
            None => Ok(set),
        }
    }

    /// The names that stand in the volume itself.
    pub(super) fn top_names(&self) -> BTreeSet<&str> {
        self.files.keys().map(|path| path.split('/').next().unwrap_or(path)).collect()
    }

    /// The names of what is in a folder, `""` being the volume itself.
    pub(super) fn names_in<'a>(&'a self, folder: &'a str) -> BTreeSet<&'a str> {
        let below = move |path: &'a String| match folder {
            "" => Some(path.as_str()),
            _ => path.strip_prefix(folder)?.strip_prefix('/'),
        };
        let name = |rest: &'a str| rest.split('/').next().unwrap_or(rest);
        self.files.keys().filter_map(below).map(name).collect()
    }
}

/// A path to a part of a volume, as plain names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SubPath(pub(super) Vec<String>);

impl SubPath {
    pub(super) fn new(text: &str) -> Result<Self, VolumeError> {
        Ok(Self(plain_names(text)?.into_iter().map(str::to_owned).collect()))
    }
}

/// The names of a relative path that leads nowhere but down.
fn plain_names(path: &str) -> Result<Vec<&str>, VolumeError> {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    let why = if path.starts_with('/') {
        "is absolute: only paths below the volume are possible"
    } else if path.contains('\0') {
        "has a zero byte in it"
    } else if names.contains(&"..") {
        "leads upwards by '..': only paths below the volume are possible"
    } else if path.len() > LONGEST_PATH || names.iter().any(|name| name.len() > LONGEST_NAME) {
        "is too long: at most 2048 bytes, and 255 for each name, are possible"
    } else if names.len() > DEEPEST {
        "is too deep: at most 32 names are possible"
    } else {
        return Ok(names);
    };
    let shown: String = path.chars().take(100).collect();
    Err(refused(format!("path {shown:?} {why}")))
}

/// A path of the node: absolute, without `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPath(pub(super) PathBuf);

impl HostPath {
    pub(super) fn new(path: &Path) -> Result<Self, VolumeError> {
        let bytes = path.as_os_str().as_encoded_bytes();
        let why = if !path.is_absolute() {
            "is not absolute: begin it with '/'"
        } else if bytes.contains(&0) {
            "has a zero byte in it"
        } else if path.components().any(|component| component == Component::ParentDir) {
            "leads upwards by '..': write down where it leads"
        } else if bytes.len() > LONGEST_HOST_PATH || bytes.split(|byte| *byte == b'/').any(|n| n.len() > LONGEST_NAME) {
            "is too long: at most 4095 bytes, and 255 for each name, are possible"
        } else {
            return Ok(Self(path.components().collect()));
        };
        let shown: String = path.to_string_lossy().chars().take(100).collect();
        Err(refused(format!("host path {shown:?} {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> BTreeMap<String, VolumeFile> {
        let file = VolumeFile { content: "x".into(), mode: 0o600 };
        paths.iter().map(|path| ((*path).to_owned(), file.clone())).collect()
    }

    #[test]
    fn hostile_paths_of_files_are_refused() {
        let (long, deep) = ("x".repeat(256), "a/".repeat(32) + "a");
        let very_long = "abc/".repeat(520);
        let hostile = [
            "",
            "/",
            "/etc/passwd",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/..",
            "..data",
            "..version-1",
            "..a/b",
            "a//b",
            "a/",
            "./a",
            "a/./b",
            "a\0b",
            "\0",
            long.as_str(),
            deep.as_str(),
            very_long.as_str(),
        ];
        for path in hostile {
            assert!(FileSet::new(&files(&[path]), None).is_err(), "{path:?}");
        }
        let fine =
            ["a", "a.conf", "a/b", "a/..b", "...a/b".trim_start_matches("..."), "ä/ö", "a b", "-rf", "a\nb", ".a"];
        for path in fine.into_iter().filter(|path| !path.starts_with('/')) {
            assert!(FileSet::new(&files(&[path]), None).is_ok(), "{path:?}");
        }
    }

    #[test]
    fn a_path_is_a_file_or_a_folder() {
        let error = FileSet::new(&files(&["a", "a/b"]), None).expect_err("both").to_string();
        assert!(error.contains("\"a\" would be a file and a folder"), "{error}");
        let set = FileSet::new(&files(&["a/b/c", "a/d", "e"]), None).expect("fine");
        assert_eq!(set.folders, ["a", "a/b"].map(str::to_owned).into());
        assert_eq!(set.top_names(), ["a", "e"].into());
        assert_eq!(set.names_in("a"), ["b", "d"].into());
        assert_eq!(set.names_in(""), ["a", "e"].into());
    }

    #[test]
    fn too_much_is_refused() {
        let many: Vec<String> = (0..=MOST_FILES).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(FileSet::new(&files(&many), None).is_err());
        let large = VolumeFile { content: vec![0; MOST_BYTES + 1].into(), mode: 0 };
        assert!(FileSet::new(&[("a".to_owned(), large)].into(), None).is_err());
        let wrong_mode = VolumeFile { content: "".into(), mode: 0o4755 };
        assert!(FileSet::new(&[("a".to_owned(), wrong_mode)].into(), None).is_err());
    }

    #[test]
    fn a_group_can_read_its_files() {
        let set = FileSet::new(&files(&["a"]), Some(7)).expect("fine");
        assert_eq!(set.files["a"].mode, 0o640);
    }

    #[test]
    fn parts_of_volumes_are_named_downwards_only() {
        for hostile in ["/", "/a", "..", "a/..", "../a", "a/../../b", "a\0", &"a/".repeat(33), &"x".repeat(256)] {
            assert!(SubPath::new(hostile).is_err(), "{hostile:?}");
        }
        for (text, names) in
            [("", vec![]), (".", vec![]), ("a//b/./c/", vec!["a", "b", "c"]), ("..data/a", vec!["..data", "a"])]
        {
            assert_eq!(SubPath::new(text).expect("fine").0, names);
        }
    }

    #[test]
    fn hostile_host_paths_are_refused() {
        let long = format!("/{}", "x".repeat(256));
        let very_long = "/abc".repeat(1100);
        for hostile in ["", "etc", "./a", "/a/..", "/../a", "/a\0b", long.as_str(), very_long.as_str()] {
            assert!(HostPath::new(Path::new(hostile)).is_err(), "{hostile:?}");
        }
        for (text, path) in [("/", "/"), ("/a//b/./c/", "/a/b/c"), ("/..a", "/..a")] {
            assert_eq!(HostPath::new(Path::new(text)).expect("fine").0, Path::new(path));
        }
    }
}
