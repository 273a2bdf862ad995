//! The folders of a container: made as planned, where nobody can have put a link in the way.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use orch_core::runtime::Mount;

use super::account::Account;
use super::command::Within;
use super::launch::LaunchError;
use super::volumes::{At, MAPPED, Seen, Source};
use crate::agent::folder::{Folder, open_file};

/// Makes a sandbox, for the user of its container.
pub(super) fn make_sandbox(sandbox: &Path, account: Option<&Account>) -> Result<(), LaunchError> {
    make_own(sandbox, account)
        .map_err(|error| failed(format!("Failed to make the sandbox {}", sandbox.display()), &error))
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

/// Makes the files for the output of a container that may run as any user of its image.
pub(super) fn make_output(sandbox: &Path) -> Result<(), LaunchError> {
    let make = |name: &str| {
        let sandbox = Folder::open(sandbox)?;
        let place = sandbox.own(name);
        let file = match fs::File::create_new(&place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_file(&place),
            made => made,
        };
        file?.set_permissions(fs::Permissions::from_mode(0o666))
    };
    let made = ["stdout", "stderr"].into_iter().try_for_each(make);
    made.map_err(|error| failed(format!("Failed to make the output in {}", sandbox.display()), &error))
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
        Source::Own(path) => made(path, make_own(path, account)),
        Source::Within(root, inner) => {
            let folder = Folder::open(root).and_then(|root| root.within(inner, account));
            folder.map(|folder| folder.path().to_owned()).map_err(|error| {
                let (inner, root) = (inner.display(), root.display());
                failed(format!("Failed to make the volume's folder '{inner}' in {root}"), &error)
            })
        }
    }
}

/// The place in a sandbox where something is seen: a link to it, or what it is mounted over.
fn make_place(sandbox: &Path, path: &Path, source: &Path, is_link: bool) -> io::Result<()> {
    let folder = Folder::open(sandbox)?.within(path.parent().unwrap_or(Path::new("")), None)?;
    let place = folder.own(path.file_name().unwrap_or_default());
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

/// Makes a folder of the agent's for the user of a container, if it is not there: in a folder that only the agent can
/// write in.
fn make_own(path: &Path, account: Option<&Account>) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    fs::create_dir_all(parent)?;
    let parent = Folder::open(parent)?;
    parent.within(Path::new(name), account)?;
    parent.give(Path::new(name), account)
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
            let seen = Seen {
                source: Source::Within(sandbox.clone(), inner.into()),
                at: At::Container("/x".into()),
                read_only: false,
            };
            let error = make_seen(&sandbox, &[seen], Within::Docker, None).expect_err("it leads out");
            assert!(error.message.contains("a link is in its place"), "{error}");
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
