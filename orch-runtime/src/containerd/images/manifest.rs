//! The documents that an image is made of: [`Manifest`], [`Index`], [`Config`]; and the [`Digest`]s that join them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::convert::ImageDefaults;
use super::super::names;

/// The most bytes that a document may have.
pub(in super::super) const DOCUMENT_LIMIT: u64 = 4 << 20;
/// The most layers that an image may have: more than any file system can put together.
const MOST_LAYERS: usize = 500;

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// What a registry is asked for.
pub(super) const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(super) const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The name of content: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(in super::super) struct Digest(String);

impl Digest {
    /// Of what was hashed.
    pub(super) fn of(hash: &[u8]) -> Self {
        Self(format!("sha256:{}", names::hexadecimal(hash)))
    }

    pub(in super::super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let fits = |digits: &str| digits.len() == 64 && digits.bytes().all(hex);
        if text.strip_prefix("sha256:").is_some_and(fits) {
            Ok(Self(text))
        } else {
            let text: String = text.chars().take(100).collect();
            Err(format!("{text:?} is no digest: sha256: and 64 hexadecimal digits are expected"))
        }
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a part of an image is, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Part {
    #[serde(default)]
    pub(super) media_type: String,
    pub(in super::super) digest: Digest,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// What machines something is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    pub(super) architecture: String,
    pub(super) os: String,
}

/// Images of one name for several kinds of machines, or all images of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Index {
    pub(super) manifests: Vec<Part>,
}

/// What an image is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default)]
    pub(super) media_type: String,
    pub(in super::super) config: Part,
    pub(super) layers: Vec<Part>,
}

/// What an image says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(in super::super) struct Config {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    pub(super) config: ImageDefaults,
    rootfs: RootFs,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct RootFs {
    diff_ids: Vec<Digest>,
}

/// Reads a document.
pub(super) fn read<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("its {what} cannot be read: {error}"))
}

impl Index {
    /// The image for this machine.
    pub(super) fn for_this_machine(&self) -> Result<&Part, String> {
        let is_for_us = |part: &&Part| part.platform.as_ref().is_none_or(Platform::is_this_machine);
        self.manifests.iter().find(is_for_us).ok_or_else(|| {
            let others = self.manifests.iter().filter_map(|part| part.platform.as_ref());
            let others: Vec<String> =
                others.take(20).map(|platform| format!("{}/{}", platform.os, platform.architecture)).collect();
            format!("it is not for linux/{}, but for {}", architecture(), others.join(", "))
        })
    }
}

impl Platform {
    fn is_this_machine(&self) -> bool {
        self.os == "linux" && self.architecture == architecture()
    }
}

impl Manifest {
    /// Reads and checks a manifest.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = read("manifest", bytes)?;
        if manifest.layers.len() > MOST_LAYERS {
            return Err(format!("it has {} layers: there can be {MOST_LAYERS} at most", manifest.layers.len()));
        }
        Ok(manifest)
    }

    /// All bytes of the image, as they are kept.
    pub(in super::super) fn size(&self) -> u64 {
        self.layers.iter().fold(self.config.size, |size, layer| size.saturating_add(layer.size))
    }
}

impl Config {
    /// Reads the configuration that belongs to a manifest.
    pub(super) fn read(bytes: &[u8], manifest: &Manifest) -> Result<Self, String> {
        let config: Self = read("configuration", bytes)?;
        let is_for_us = config.architecture.is_empty() || config.architecture == architecture();
        if !is_for_us || !(config.os.is_empty() || config.os == "linux") {
            let Self { os, architecture: theirs, .. } = &config;
            return Err(format!("it is for {os:?}/{theirs:?}, not for linux/{}", architecture()));
        }
        let (told, there) = (config.rootfs.diff_ids.len(), manifest.layers.len());
        if told != there {
            return Err(format!("its configuration tells of {told} layers, and its manifest of {there}"));
        }
        Ok(config)
    }

    /// What each layer is once it is decompressed.
    pub(super) fn diffs(&self) -> &[Digest] {
        &self.rootfs.diff_ids
    }

    /// The names of the file systems that the layers make, one upon the other.
    pub(super) fn chain(&self) -> Vec<String> {
        let mut chain: Vec<String> = Vec::new();
        for diff in self.diffs() {
            let next = match chain.last() {
                None => diff.to_string(),
                Some(below) => format!("sha256:{}", names::hash(&format!("{below} {diff}"))),
            };
            chain.push(next);
        }
        chain
    }
}

/// This machine, as images have it.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_digest_is_refused() {
        let good = format!("sha256:{}", "0a".repeat(32));
        assert!(Digest::try_from(good.clone()).is_ok());
        for text in ["", "sha256:", "sha512:00", &good.to_uppercase(), &format!("{good}0"), "sha256:../../etc/passwd"] {
            assert!(Digest::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn file_systems_are_named_by_all_layers_below() {
        let diff = |digit: &str| format!("\"sha256:{}\"", digit.repeat(64));
        let text = format!(r#"{{"rootfs":{{"diff_ids":[{},{}]}}}}"#, diff("1"), diff("2"));
        let config: Config = read("configuration", text.as_bytes()).expect("a configuration");
        let below = format!("sha256:{}", "1".repeat(64));
        let both = format!("sha256:{}", names::hash(&format!("{below} sha256:{}", "2".repeat(64))));
        assert_eq!(config.chain(), [below, both]);
    }
}
