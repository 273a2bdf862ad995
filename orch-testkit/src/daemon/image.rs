//! [`Image`], and [`busybox_image`].

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::program;
use super::tar::Tar;

/// An image of a container, made here without a daemon or a registry. The same calls make the same bytes.
#[derive(Clone, Debug)]
pub struct Image {
    /// Each a tar.
    layers: Vec<Arc<Vec<u8>>>,
    /// What `Config` is in the image's configuration.
    settings: Value,
}

/// Of Linux' programs for every day as much as tests need, with a shell, on a static busybox. Its user is root, its `PATH`
/// is `/bin`, and it runs `sh` unless told otherwise. There is a user `app` (1000), a `/tmp`, and nothing in `/etc` but the
/// two files of users and groups.
///
/// # Panics
/// When there is no static busybox on this machine.
#[must_use]
pub fn busybox_image() -> Image {
    static ROOT: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| Arc::new(root_file_system()));
    let settings = json!({"Env": ["PATH=/bin"], "Cmd": ["sh"]});
    Image { layers: vec![Arc::clone(&ROOT)], settings }
}

impl Image {
    /// With this entry point, and no command.
    #[must_use]
    pub fn entrypoint<'a>(mut self, entrypoint: impl IntoIterator<Item = &'a str>) -> Self {
        self.settings["Cmd"] = Value::Null;
        self.with("Entrypoint", entrypoint.into_iter().collect())
    }

    /// With this command.
    #[must_use]
    pub fn command<'a>(self, command: impl IntoIterator<Item = &'a str>) -> Self {
        self.with("Cmd", command.into_iter().collect())
    }

    /// Its processes run as this user: `app`, `1000`, `1000:1000`.
    #[must_use]
    pub fn user(self, user: &str) -> Self {
        self.with("User", user.into())
    }

    /// Its processes start in this folder.
    #[must_use]
    pub fn working_dir(self, folder: &str) -> Self {
        self.with("WorkingDir", folder.into())
    }

    /// With one more variable in the environment of its processes.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.settings["Env"].as_array_mut().expect("made as an array").push(format!("{name}={value}").into());
        self
    }

    /// With a port exposed: `80/tcp`.
    #[must_use]
    pub fn expose(mut self, port: &str) -> Self {
        self.settings["ExposedPorts"][port] = json!({});
        self
    }

    /// With one more label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.settings["Labels"][name] = value.into();
        self
    }

    /// With one more layer, which has this file, owned by root.
    #[must_use]
    pub fn file(mut self, path: &str, mode: u32, content: &[u8]) -> Self {
        self.layers.push(Arc::new(Tar::default().file(path.trim_start_matches('/'), mode, content).finish()));
        self
    }

    /// Its layers, each a tar, the lowest first. The first of [`busybox_image`] is a whole root file system.
    pub fn layers(&self) -> impl Iterator<Item = &[u8]> {
        self.layers.iter().map(|layer| layer.as_slice())
    }

    /// Its configuration, as in the specification of OCI.
    #[must_use]
    pub fn config(&self) -> Vec<u8> {
        let digests: Vec<String> = self.layers().map(digest_of).collect();
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": self.settings,
            "rootfs": {"type": "layers", "diff_ids": digests},
            "history": digests.iter().map(|_| json!({"created_by": "a test"})).collect::<Value>(),
        });
        config.to_string().into_bytes()
    }

    /// Its manifest, as in the specification of OCI.
    #[must_use]
    pub fn manifest(&self) -> Vec<u8> {
        let layers = self.layers().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &self.config()),
            "layers": layers.collect::<Value>(),
        });
        manifest.to_string().into_bytes()
    }

    /// The digest of its manifest: `sha256:…`.
    #[must_use]
    pub fn digest(&self) -> String {
        digest_of(&self.manifest())
    }

    /// An archive with it under this name, which may leave out what `docker` fills in: `busybox:test`. Both `docker load`
    /// and `ctr images import` take it: it is what `docker save` writes, and an OCI layout.
    #[must_use]
    pub fn archive(&self, name: &str) -> Vec<u8> {
        let (config, manifest) = (self.config(), self.manifest());
        let path = |content: &[u8]| format!("blobs/{}", digest_of(content).replace(':', "/"));
        let mut listed = descriptor(MANIFEST, &manifest);
        listed["annotations"] = json!({"io.containerd.image.name": in_full(name)});
        let index = json!({"schemaVersion": 2, "manifests": [listed]});
        let saved = json!([{
            "Config": path(&config),
            "RepoTags": [name],
            "Layers": self.layers().map(path).collect::<Value>(),
        }]);
        let mut tar = Tar::default()
            .file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)
            .file("index.json", 0o644, index.to_string().as_bytes())
            .file("manifest.json", 0o644, saved.to_string().as_bytes())
            .folder("blobs", 0o755)
            .folder("blobs/sha256", 0o755);
        for blob in self.layers().chain([config.as_slice(), manifest.as_slice()]) {
            tar = tar.file(&path(blob), 0o644, blob);
        }
        tar.finish()
    }

    fn with(mut self, setting: &str, value: Value) -> Self {
        self.settings[setting] = value;
        self
    }
}

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The digest of some bytes, as in the specification of OCI: `sha256:…`.
pub(super) fn digest_of(content: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in digest(&SHA256, content).as_ref() {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest_of(content), "size": content.len()})
}

/// With the registry and the folder that a short name stands for.
fn in_full(name: &str) -> String {
    match name.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    }
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn root_file_system() -> Vec<u8> {
    const PROGRAMS: &str = "awk cat chmod chown cp cut date dd df dirname echo env expr false find grep head hostname \
        httpd id ifconfig ip kill ln ls md5sum mkdir mkfifo mount mv nc nslookup ping printf ps pwd readlink rm rmdir \
        route sed seq setsid sh sleep sort stat stty sync tail tee telnet test time timeout touch tr true tty udhcpc \
        ulimit umount uname uniq usleep wc wget which whoami xargs yes";
    let path = program::path_of("busybox", "busybox-static");
    let busybox = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        !needs_loader(&busybox),
        "{} needs libraries, which an image of it would lack: install Debian's package busybox-static, or run \
         `cargo xtask test`, which sees to it",
        path.display()
    );
    let mut tar = Tar::default().folder("bin", 0o755).file("bin/busybox", 0o755, &busybox);
    for program in PROGRAMS.split_whitespace() {
        tar = tar.link(&format!("bin/{program}"), "busybox");
    }
    for (folder, mode) in [("dev", 0o755), ("proc", 0o755), ("root", 0o700), ("sys", 0o755), ("tmp", 0o1777)] {
        tar = tar.folder(folder, mode);
    }
    tar.folder("etc", 0o755)
        .file("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\n")
        .file("etc/group", 0o644, b"root:x:0:\napp:x:1000:\n")
        .finish()
}

/// Whether a 64-bit ELF program names a dynamic loader.
fn needs_loader(program: &[u8]) -> bool {
    const LOADER: u32 = 3;
    let number = |at: usize, size: usize| {
        let bytes = program.get(at..at + size).unwrap_or_default();
        bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (first, size, count) = (number(32, 8) as usize, number(54, 2) as usize, number(56, 2) as usize);
    (0..count).any(|index| number(first + index * size, 4) == u64::from(LOADER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_of_the_hub_and_others_are_what_they_say() {
        assert_eq!(in_full("busybox:test"), "docker.io/library/busybox:test");
        assert_eq!(in_full("me/busybox:test"), "docker.io/me/busybox:test");
        assert_eq!(in_full("127.0.0.1:5000/busybox:test"), "127.0.0.1:5000/busybox:test");
    }

    #[test]
    fn a_digest_is_that_of_the_standard() {
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest_of(b"abc"), expected);
    }
}
