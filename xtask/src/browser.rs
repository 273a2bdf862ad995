//! The browser in which the tests of pages look at them: Debian's chromium, into a folder under `target/` where none is
//! installed.

use std::path::Path;
use std::{env, fs};

use crate::apt::Apt;
use crate::command::Failed;

/// Where it is, under the root. It is by itself, as the libraries that come with it are for nobody else.
const FOLDER: &str = "target/parts/browser";

/// Sees to it that there is a browser, or that a file says why there is none; and says so, too.
pub(crate) fn provide(root: &Path) -> Result<Option<String>, Failed> {
    let folder = root.join(FOLDER);
    if is_installed() || folder.join("there").is_file() {
        return Ok(None);
    }
    eprintln!("xtask: unpacking Debian's chromium and what it depends on into {FOLDER}");
    let outcome = unpack(&folder);
    let (file, said) = match &outcome {
        Ok(()) => ("there", ""),
        Err(why) => ("missing", why.as_str()),
    };
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(file), said));
    written.map_err(|error| Failed(format!("cannot write into {}: {error}", folder.display())))?;
    Ok(outcome.err().map(|why| format!("chromium: {why}")))
}

fn is_installed() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join("chromium").is_file())
}

fn unpack(folder: &Path) -> Result<(), String> {
    let apt = Apt::new(folder.join("apt"))?;
    apt.download_with_dependencies("chromium")?;
    apt.unpack(folder)
}
