//! What a URI asks for.

use std::path::{Component, Path, PathBuf};

use http::Uri as Address;

use crate::wire::Uri;

/// What a URI asks for: where it is, and what it is to be called in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) source: Source,
    pub(super) name: PathBuf,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// On this machine.
    File(PathBuf),
    /// Behind a server.
    Http(Address),
}

/// What a URI asks for, with relative paths beginning at `home`.
pub(super) fn wanted(uri: &Uri, home: Option<&Path>) -> Result<Wanted, String> {
    let value = uri.value.trim();
    let (source, path) = match value.split_once("://") {
        Some(("http", _)) => {
            let address: Address = value.parse().map_err(|error| format!("it is no address: {error}"))?;
            let path = address.path().to_owned();
            (Source::Http(address), path)
        }
        Some(("file", path)) => {
            let path = path.strip_prefix("localhost").unwrap_or(path);
            if !path.starts_with('/') {
                return Err("a path of this machine has to begin with '/'".to_owned());
            }
            (Source::File(path.into()), path.to_owned())
        }
        Some((scheme, _)) => return Err(format!("'{scheme}' is not fetched by this agent: use http:// or a path")),
        None if value.starts_with('/') => (Source::File(value.into()), value.to_owned()),
        None => {
            let home =
                home.ok_or("it is a relative path: start the agent with --frameworks_home, or write it in full")?;
            (Source::File(home.join(value)), value.to_owned())
        }
    };
    let name = match uri.output_file.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => plain(name)?,
        None => {
            let last = Path::new(&path).file_name().and_then(|name| name.to_str());
            plain(last.ok_or("it names no file: set `output_file`")?)?
        }
    };
    Ok(Wanted { source, name })
}

/// A path that leads down from the sandbox, and nowhere else.
fn plain(name: &str) -> Result<PathBuf, String> {
    let path = Path::new(name);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if is_plain && !name.contains('\0') && !name.is_empty() && !name.ends_with('/') {
        return Ok(path.to_owned());
    }
    Err(format!("'{name}' is no file of the sandbox: use a relative path without '..' as `output_file`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(value: &str, output: Option<&str>) -> Uri {
        Uri { value: value.to_owned(), output_file: output.map(str::to_owned), ..Uri::default() }
    }

    #[test]
    fn the_name_in_the_sandbox_is_the_last_part_or_what_is_said() {
        for (value, output, name) in [
            ("/a/b.tar.gz", None, "b.tar.gz"),
            ("file:///a/b", None, "b"),
            ("http://h:1/a/b.zip?version=2", None, "b.zip"),
            ("http://h:1/", Some("c/d"), "c/d"),
        ] {
            assert_eq!(wanted(&uri(value, output), None).map(|wanted| wanted.name), Ok(name.into()), "{value}");
        }
        let relative = wanted(&uri("x/y", None), Some(Path::new("/home")));
        assert_eq!(relative.map(|wanted| wanted.source), Ok(Source::File("/home/x/y".into())));
    }

    #[test]
    fn what_is_not_fetched_is_refused_with_a_hint() {
        for (value, output, hint) in [
            ("x/y", None, "--frameworks_home"),
            ("hdfs://h/a", None, "hdfs"),
            ("https://h/a", None, "http://"),
            ("http://h:1/", None, "output_file"),
            ("/a/..", None, "output_file"),
            ("/a/b", Some("../../etc/cron.d/x"), "'..'"),
            ("/a/b", Some("/etc/x"), "relative"),
            ("/a/b", Some("a/../b"), "'..'"),
        ] {
            let error = wanted(&uri(value, output), None).expect_err(value);
            assert!(error.contains(hint), "{value}: {error}");
        }
    }
}
