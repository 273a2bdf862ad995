//! The files that the rules look at.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Source and documentation files by their path from the root, with `/` between folders.
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads a working tree, leaving out what is built or hidden.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                let (path, name) = (entry.path(), entry.file_name());
                let name = name.to_string_lossy();
                if name.starts_with('.') || name == "target" {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    folders.push(path);
                } else if [".rs", ".md", ".toml"].iter().any(|ending| name.ends_with(ending)) || !name.contains('.') {
                    let short = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                    // A file without an ending may be anything; that it is there is what links need.
                    files.insert(short, std::fs::read_to_string(&path).unwrap_or_default());
                }
            }
        }
        Ok(Self { files })
    }

    /// A tree of these files.
    #[cfg(test)]
    pub(crate) fn from_files(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }

    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Path and text of the files whose name ends so.
    pub(crate) fn ending(&self, ending: &'static str) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.ends_with(ending))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Rust files, without the samples that stand in this program.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending(".rs").filter(|(path, _)| !path.starts_with("xtask/src/tidy/rules"))
    }

    /// Whether there is such a file, or such a folder with files.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files.contains_key(path)
            || self.files.range(folder.clone()..).next().is_some_and(|(p, _)| p.starts_with(&folder))
    }

    /// The text of a file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }
}

/// The part of a source file before its unit tests.
pub(crate) fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}

/// The names under `[section]` of a manifest.
pub(crate) fn names_in_section<'a>(manifest: &'a str, section: &str) -> Vec<(usize, &'a str)> {
    let heading = format!("[{section}]");
    let mut inside = false;
    let mut names = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == heading;
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let end = line.find(['.', '=', ' ']).unwrap_or(line.len());
            names.push((index + 1, &line[..end]));
        }
    }
    names
}
