//! The libraries of others that the tests of `mesos-like` are frameworks with: from PyPI and npm, where Python 3.9 and
//! Node 20 are found, into a folder under `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::command::{Failed, succeeds};

/// A library, and what it needs to be installed.
struct Library {
    name: &'static str,
    version: &'static str,
    /// What it asks for itself in whatever version there is, in one with which it was seen to work.
    needs: &'static [&'static str],
    language: Language,
}

#[derive(Clone, Copy, PartialEq)]
enum Language {
    Python,
    Node,
}

/// What the tests look for, in these versions.
const LIBRARIES: &[Library] = &[
    Library {
        name: "pymesos",
        version: "0.3.15",
        needs: &["addict==2.4.0", "http-parser==0.9.0", "kazoo==2.11.0", "six==1.17.0"],
        language: Language::Python,
    },
    Library { name: "mesoshttp", version: "0.4.2", needs: MESOSHTTP_NEEDS, language: Language::Python },
    Library { name: "avmesos", version: "0.4.2", needs: MESOSHTTP_NEEDS, language: Language::Python },
    Library {
        name: "chronos-python",
        version: "1.2.1",
        needs: &["httplib2==0.32.1", "pyparsing==3.3.3"],
        language: Language::Python,
    },
    Library {
        name: "marathon",
        version: "0.13.0",
        needs: &["requests==2.32.5", "requests-toolbelt==1.0.0"],
        language: Language::Python,
    },
    Library { name: "mesos-framework", version: "0.5.3", needs: &[], language: Language::Node },
];

const MESOSHTTP_NEEDS: &[&str] = &["cryptography==50.0.2", "kazoo==2.11.0", "pyjwt==2.15.1", "requests==2.32.5"];

/// Where what is here is, under the root.
const FOLDER: &str = "target/parts/mesos-clients";

/// Sees to it that each library is there, or that a file `NAME.missing` says why it is not. Says which are not there.
pub(crate) fn provide(root: &Path) -> Result<Vec<String>, Failed> {
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| Failed(format!("cannot make {}: {error}", folder.display())))?;
    let mut missing = Vec::new();
    for library in LIBRARIES {
        let (there, reason) = (folder.join(library.stamp()), folder.join(format!("{}.missing", library.name)));
        if there.exists() {
            continue;
        }
        eprintln!("xtask: installing {} {} into {FOLDER}", library.name, library.version);
        let written = match library.install(&folder) {
            Ok(()) => fs::remove_file(&reason).or(Ok(())).and_then(|()| fs::write(&there, "")),
            Err(why) => {
                missing.push(format!("{}: {why}", library.name));
                fs::write(&reason, why)
            }
        };
        written.map_err(|error| Failed(format!("cannot write into {}: {error}", folder.display())))?;
    }
    Ok(missing)
}

impl Library {
    /// The file that says that this version is there.
    fn stamp(&self) -> String {
        format!("{}-{}.there", self.name, self.version)
    }

    fn install(&self, folder: &Path) -> Result<(), String> {
        match self.language {
            Language::Python => {
                let python = python().ok_or("it needs Python 3.9, which was not found (python3.9)")?;
                let environment = folder.join("python");
                if !environment.join("bin/pip").exists() {
                    succeeds(Command::new(python).args(["-m", "venv"]).arg(&environment))?;
                }
                let mut pip = Command::new(environment.join("bin/pip"));
                pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(self.needs);
                succeeds(pip.arg(format!("{}=={}", self.name, self.version)))
            }
            Language::Node => {
                let version = output(Command::new("node").arg("--version"));
                let version = version.ok_or("it needs Node 20 or later, which was not found (node)")?;
                let major = version.trim().trim_start_matches('v').split('.').next().and_then(|text| text.parse().ok());
                if major.is_none_or(|major: u32| major < 20) {
                    return Err(format!("it needs Node 20 or later, and found {}", version.trim()));
                }
                let home = folder.join("node");
                fs::create_dir_all(&home).map_err(|error| error.to_string())?;
                let mut npm = Command::new("npm");
                npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]);
                succeeds(npm.arg("--prefix").arg(home).arg(format!("{}@{}", self.name, self.version)))
            }
        }
    }
}

/// A Python 3.9: newer ones cannot build what pymesos needs.
fn python() -> Option<PathBuf> {
    let kept = env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv/versions"));
    let versions = kept.into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let found = versions.map(|version| version.path().join("bin/python3.9"));
    let is_it = |python: &PathBuf| output(Command::new(python).arg("--version")).is_some_and(|v| v.contains(" 3.9."));
    std::iter::once(PathBuf::from("python3.9")).chain(found).find(is_it)
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
