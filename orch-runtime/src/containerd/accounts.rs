//! [`Accounts`]: the users and groups that an image knows.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::wire::Mount;

/// The most of a file that is read. Images are made by strangers.
const LONGEST: u64 = 1 << 20;

/// The users and groups that an image knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Accounts {
    passwd: String,
    group: String,
}

/// As whom a process runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The groups that the user is in besides.
    pub(super) groups: Vec<u32>,
}

impl Accounts {
    /// Reads them from the layers of a file system as the snapshotter shows it, without mounting it. Links are not
    /// followed: they could lead out of the image.
    pub(super) fn read(mounts: &[Mount]) -> Self {
        let layers = layers(mounts);
        Self { passwd: find(&layers, "etc/passwd"), group: find(&layers, "etc/group") }
    }

    /// Whom `user`, `user:group`, or numbers in their place mean, as an image has it.
    pub(super) fn identity(&self, text: &str) -> Result<Identity, String> {
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        let user = if user.is_empty() { "0" } else { user };
        let entry = self.users().find(|entry| entry.name == user || entry.uid.to_string() == user);
        let uid = match (&entry, user.parse()) {
            (_, Ok(uid)) => uid,
            (Some(entry), Err(_)) => entry.uid,
            (None, Err(_)) => {
                return Err(format!("the image has no user {user:?}: give a number, or add the user to the image"));
            }
        };
        let gid = match group.filter(|group| !group.is_empty()) {
            None => entry.as_ref().map_or(0, |entry| entry.gid),
            Some(group) => self.group(group)?,
        };
        let name = entry.map(|entry| entry.name).unwrap_or_default();
        let groups = if group.is_some() { Vec::new() } else { self.groups_of(name) };
        Ok(Identity { uid, gid, groups })
    }

    fn group(&self, group: &str) -> Result<u32, String> {
        let named = || self.group.lines().map(fields).find(|fields| fields[0] == group)?[2].parse().ok();
        group
            .parse()
            .ok()
            .or_else(named)
            .ok_or_else(|| format!("the image has no group {group:?}: give a number, or add the group to the image"))
    }

    fn groups_of(&self, name: &str) -> Vec<u32> {
        let lists = |fields: &[&str; 4]| !name.is_empty() && fields[3].split(',').any(|member| member == name);
        self.group.lines().map(fields).filter(lists).filter_map(|fields| fields[2].parse().ok()).collect()
    }

    fn users(&self) -> impl Iterator<Item = User<'_>> {
        self.passwd.lines().map(fields).filter_map(|fields| {
            Some(User { name: fields[0], uid: fields[2].parse().ok()?, gid: fields[3].parse().ok()? })
        })
    }
}

struct User<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
}

fn fields(line: &str) -> [&str; 4] {
    let mut fields = line.split(':');
    std::array::from_fn(|_| fields.next().unwrap_or_default())
}

/// The folders that a file system is made of, the uppermost first.
fn layers(mounts: &[Mount]) -> Vec<PathBuf> {
    let Some(mount) = mounts.last() else { return Vec::new() };
    if mount.kind == "bind" {
        return vec![PathBuf::from(&mount.source)];
    }
    let lower = mount.options.iter().find_map(|option| option.strip_prefix("lowerdir="));
    lower.unwrap_or_default().split(':').filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

fn find(layers: &[PathBuf], name: &str) -> String {
    layers.iter().find_map(|layer| read(layer, name)).unwrap_or_default()
}

/// A file in a layer; empty if it was removed there or is none, `None` if the layer says nothing of it.
fn read(layer: &Path, name: &str) -> Option<String> {
    let mut path = layer.to_owned();
    for part in Path::new(name).parent().unwrap_or(Path::new("")) {
        path.push(part);
        let folder = fs::symlink_metadata(&path).ok()?;
        if !folder.is_dir() {
            return Some(String::new());
        }
    }
    let path = layer.join(name);
    if !fs::symlink_metadata(&path).ok()?.is_file() {
        return Some(String::new());
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_looked_up_as_docker_does() {
        let accounts = Accounts {
            passwd: "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/:/bin/sh\nbroken\n".into(),
            group: "root:x:0:\nwww:x:34:\nlogs:x:40:other,web\n".into(),
        };
        let identity = |uid, gid, groups: &[u32]| Ok(Identity { uid, gid, groups: groups.to_vec() });
        for (text, expected) in [
            ("", identity(0, 0, &[])),
            ("web", identity(33, 34, &[40])),
            ("33", identity(33, 34, &[40])),
            ("web:logs", identity(33, 40, &[])),
            ("web:7", identity(33, 7, &[])),
            ("1000", identity(1000, 0, &[])),
        ] {
            assert_eq!(accounts.identity(text), expected, "{text:?}");
        }
        assert!(accounts.identity("nobody").is_err_and(|message| message.contains("nobody")));
        assert!(accounts.identity("web:nobody").is_err_and(|message| message.contains("group")));
    }

    #[test]
    fn layers_are_found_in_the_options_of_a_mount() {
        let mount = |kind: &str, options: &[&str]| Mount {
            kind: kind.into(),
            source: "/s".into(),
            target: String::new(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
        };
        assert_eq!(layers(&[mount("bind", &["ro"])]), [Path::new("/s")]);
        assert_eq!(layers(&[mount("overlay", &["index=off", "lowerdir=/b:/a"])]), [Path::new("/b"), Path::new("/a")]);
        assert!(layers(&[]).is_empty());
    }
}
