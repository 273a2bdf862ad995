//! The folders of a container: made as planned, where nobody can have put a link in the way.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use orch_core::runtime::Mount;

use super::account::Account;
use super::command::Within;
use super::launch::LaunchError;
use super::volumes::{At, MAPPED, Seen, Source};

/// Makes a sandbox, for the user of its container.
pub(super) fn make_sandbox(sandbox: &Path, account: Option<&Account>) -> Result<(), LaunchError> {
    let made = fs::create_dir_all(sandbox).and_then(|()| own(sandbox, account));
    made.map_err(|error| failed(format!("Failed to make the sandbox {}", sandbox.display()), &error))
}

/// Makes what a container is to see, and returns what of it the runtime has to mount.
pub(super) fn make_seen(
    sandbox: &Path,
    seen: &[Seen],
    within: Within,
    account: Option<&Account>,
) -> Result<Vec<Mount>, LaunchError> {
    let mut mounts = Vec::new();
    if within != Within::Host {
        mounts.push(Mount { source: sandbox.to_owned(), target: MAPPED.into(), read_only: false });
    }
    for one in seen {
        let source = source(&one.source, account)?;
        let (target, place) = match (&one.at, within) {
            (At::Container(path), Within::Host) if *path == source && !one.read_only => continue,
            (At::Container(path), _) => (path.clone(), None),
            (At::Sandbox(path), Within::Host) => (sandbox.join(path), Some(path)),
            (At::Sandbox(path), _) => (Path::new(MAPPED).join(path), Some(path)),
        };
        if let Some(path) = place {
            // A process sees by a link what others see by a mount, for which one must be root.
            let is_link = within == Within::Host && !one.read_only;
            let placed = make_place(sandbox, path, &source, is_link);
            placed.map_err(|error| failed(format!("Failed to make the volume at '{}'", path.display()), &error))?;
            if is_link {
                continue;
            }
        }
        mounts.push(Mount { source, target, read_only: one.read_only });
    }
    Ok(mounts)
}

fn source(source: &Source, account: Option<&Account>) -> Result<PathBuf, LaunchError> {
    let made = |path: &Path, result: io::Result<()>| match result {
        Ok(()) => Ok(path.to_owned()),
        Err(error) => Err(failed(format!("Failed to make the folder {}", path.display()), &error)),
    };
    match source {
        Source::Path(path) if path.exists() => Ok(path.clone()),
        Source::Path(path) => {
            Err(LaunchError::failed(format!("the path {} of a volume is not on this machine", path.display())))
        }
        Source::Made(path) => made(path, if path.exists() { Ok(()) } else { fs::create_dir_all(path) }),
        Source::Own(path) if path.is_dir() => made(path, own(path, account)),
        Source::Own(path) => made(path, fs::create_dir_all(path).and_then(|()| own(path, account))),
        Source::Within(root, inner) => make_within(root, inner, account).map_err(|error| {
            failed(format!("Failed to make the volume's folder '{}' in {}", inner.display(), root.display()), &error)
        }),
    }
}

/// A folder below a root, made step by step: what is there already may not lead out of the root.
pub(in crate::agent) fn make_within(root: &Path, inner: &Path, account: Option<&Account>) -> io::Result<PathBuf> {
    let root = root.canonicalize()?;
    let mut path = root.clone();
    for part in inner.components() {
        path.push(part);
        match fs::create_dir(&path) {
            Ok(()) => own(&path, account)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        path = path.canonicalize()?;
        if !path.starts_with(&root) {
            return Err(io::Error::other("a link leads out of the sandbox there"));
        }
    }
    Ok(path)
}

/// The place in a sandbox where something is seen: a link to it, or what it is mounted over.
fn make_place(sandbox: &Path, path: &Path, source: &Path, is_link: bool) -> io::Result<()> {
    let parent = match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => make_within(sandbox, parent, None)?,
        None => sandbox.to_owned(),
    };
    let place = parent.join(path.file_name().unwrap_or_default());
    if is_link {
        return match symlink(source, &place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read_link(&place).is_ok_and(|target| target == source) { Ok(()) } else { Err(error) }
            }
            result => result,
        };
    }
    match (fs::symlink_metadata(&place), source.is_dir()) {
        (Ok(there), is_dir) if there.is_dir() == is_dir && !there.is_symlink() => Ok(()),
        (Ok(_), _) => Err(io::Error::other("something else is there")),
        (Err(_), true) => fs::create_dir(&place),
        (Err(_), false) => fs::File::create_new(&place).map(drop),
    }
}

/// Gives a folder to the user of a container. Others of the machine cannot write there.
fn own(path: &Path, account: Option<&Account>) -> io::Result<()> {
    if let Some(account) = account.filter(|_| Uid::effective().is_root()) {
        chown(path, Some(account.uid), Some(account.gid))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn failed(what: String, error: &io::Error) -> LaunchError {
    LaunchError::failed(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::scratch::Scratch;

    #[test]
    fn a_process_sees_its_volumes_through_links_and_others_through_mounts() {
        let scratch = Scratch::new();
        let (sandbox, data) = (scratch.path().join("box"), scratch.path().join("data"));
        make_sandbox(&sandbox, None).expect("a sandbox");
        let one = |at: At| Seen { source: Source::Own(data.clone()), at, read_only: false };
        let all = [one(At::Sandbox("in/side".into())), one(At::Container("/elsewhere".into()))];
        let mounts = make_seen(&sandbox, &all, Within::Host, None).expect("volumes");
        assert_eq!(fs::read_link(sandbox.join("in/side")).expect("a link"), data);
        assert_eq!(mounts, [Mount { source: data.clone(), target: "/elsewhere".into(), read_only: false }]);
        let again = make_seen(&sandbox, &all, Within::Host, None).expect("it is all there");
        assert_eq!(again, mounts);

        let other = scratch.path().join("other");
        make_sandbox(&other, None).expect("a sandbox");
        let mounts = make_seen(&other, &all[..1], Within::Docker, None).expect("volumes");
        let targets: Vec<_> = mounts.iter().map(|mount| mount.target.to_string_lossy().into_owned()).collect();
        assert_eq!(targets, [MAPPED.to_owned(), format!("{MAPPED}/in/side")]);
        assert!(other.join("in/side").is_dir());
    }

    #[test]
    fn a_link_that_was_left_in_a_sandbox_leads_no_volume_out_of_it() {
        let scratch = Scratch::new();
        let sandbox = scratch.path().join("box");
        make_sandbox(&sandbox, None).expect("a sandbox");
        symlink("/", sandbox.join("evil")).expect("a link");
        for inner in ["evil", "evil/tmp"] {
            let error = make_within(&sandbox, Path::new(inner), None).expect_err("it leads out");
            assert!(error.to_string().contains("leads out"), "{error}");
        }
        let all = [Seen { source: Source::Path("/".into()), at: At::Sandbox("evil/x".into()), read_only: true }];
        assert!(make_seen(&sandbox, &all, Within::Host, None).is_err());
    }

    #[test]
    fn what_is_not_on_the_machine_is_named() {
        let scratch = Scratch::new();
        let all = [Seen { source: Source::Path("/no/such".into()), at: At::Sandbox("x".into()), read_only: false }];
        let error = make_seen(scratch.path(), &all, Within::Host, None).expect_err("there is none");
        assert!(error.message.contains("/no/such"), "{error}");
    }
}
