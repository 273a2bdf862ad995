//! [`ImageName`]: the name of an image, checked and completed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of an image, checked and completed as Docker does: `web` is `docker.io/library/web:latest`.
///
/// The grammar is that of the OCI distribution specification: `[registry/]repository[:tag][@digest]`.
///
/// ```
/// use orch_core::runtime::ImageName;
///
/// let name: ImageName = "localhost:5000/shop/web:1.2".parse()?;
/// assert_eq!((name.registry(), name.repository(), name.tag()), ("localhost:5000", "shop/web", Some("1.2")));
/// assert_eq!("web".parse::<ImageName>()?.to_string(), "docker.io/library/web:latest");
/// assert!("../etc/passwd".parse::<ImageName>().is_err());
/// # Ok::<(), orch_core::runtime::ImageNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageName {
    // It is in many errors, which are to be small.
    registry: Box<str>,
    repository: Box<str>,
    tag: Option<Box<str>>,
    digest: Option<Box<str>>,
}

/// Why text is not the name of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the name of an image: {why}")]
pub struct ImageNameError {
    text: String,
    why: &'static str,
}

/// What stands for the registry of names that have none.
const DEFAULT_REGISTRY: &str = "docker.io";
/// The longest registry and repository together.
const LONGEST: usize = 255;

impl ImageName {
    /// Where it is fetched from: a host, with a port if it has one.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// What it is called there.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Which of that name; `None` only if there is a digest.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The content that it must have: `sha256:` and 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }
}

impl FromStr for ImageName {
    type Err = ImageNameError;

    fn from_str(text: &str) -> Result<Self, ImageNameError> {
        parse(text).map_err(|why| {
            // What is not a name may be long, and is shown to people.
            let text = text.chars().take(LONGEST).collect();
            ImageNameError { text, why }
        })
    }
}

impl TryFrom<String> for ImageName {
    type Error = ImageNameError;

    fn try_from(text: String) -> Result<Self, ImageNameError> {
        text.parse()
    }
}

impl From<ImageName> for String {
    fn from(name: ImageName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

fn parse(text: &str) -> Result<ImageName, &'static str> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Err("after '@' comes sha256: and 64 hexadecimal digits");
    }
    // A colon before the last slash belongs to the registry's port.
    let (name, tag) = match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((name, tag)) => (name, Some(tag)),
        None => (rest, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err("a tag is 1 to 128 letters, digits, '_', '.' and '-', and begins with none of the latter two");
    }
    if name.len() > LONGEST {
        return Err("it is longer than 255 characters");
    }
    let (registry, repository) = match name.split_once('/').filter(|(first, _)| looks_like_a_host(first)) {
        Some((registry, repository)) => (registry, repository.to_owned()),
        None if name.contains('/') => (DEFAULT_REGISTRY, name.to_owned()),
        None => (DEFAULT_REGISTRY, format!("library/{name}")),
    };
    if !is_host(registry) {
        return Err("before the first '/' comes a host, with a port or not: registry.example.org:5000");
    }
    if !repository.split('/').all(is_component) {
        return Err("between slashes come a-z and 0-9, and between those '.', '_', '__' or any number of '-'");
    }
    // What `docker.io/web` means, and both spellings of that registry.
    let is_default = matches!(registry, DEFAULT_REGISTRY | "index.docker.io");
    let (registry, repository) = match (is_default, repository.contains('/')) {
        (true, false) => (DEFAULT_REGISTRY, format!("library/{repository}")),
        (true, true) => (DEFAULT_REGISTRY, repository),
        (false, _) => (registry, repository),
    };
    let tag = tag.or_else(|| digest.is_none().then_some("latest")).map(Box::from);
    Ok(ImageName { registry: registry.into(), repository: repository.into(), tag, digest: digest.map(Box::from) })
}

fn looks_like_a_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    host.split('.').all(label) && port.is_none_or(is_port)
}

/// Runs of letters and digits with separators between them.
fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separators = text.split(|c: char| c.is_ascii() && is_word(c as u8)).filter(|part| !part.is_empty());
    let is_separator = |part: &str| matches!(part, "." | "_" | "__") || part.bytes().all(|byte| byte == b'-');
    let ends_well = |byte: Option<u8>| byte.is_some_and(is_word);
    ends_well(text.bytes().next()) && ends_well(text.bytes().last()) && { separators }.all(is_separator)
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = text.bytes();
    text.len() <= 128 && bytes.next().is_some_and(is_word) && bytes.all(|byte| is_word(byte) || b".-".contains(&byte))
}

fn is_digest(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.bytes().all(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(text: &str) -> String {
        text.parse::<ImageName>().unwrap_or_else(|error| panic!("{error}")).to_string()
    }

    #[test]
    fn names_are_completed_as_docker_completes_them() {
        let digest = format!("sha256:{}", "a1".repeat(32));
        for (text, expected) in [
            ("web", "docker.io/library/web:latest"),
            ("web:1", "docker.io/library/web:1"),
            ("shop/web", "docker.io/shop/web:latest"),
            ("docker.io/web", "docker.io/library/web:latest"),
            ("index.docker.io/web:2", "docker.io/library/web:2"),
            ("localhost/web", "localhost/web:latest"),
            ("127.0.0.1:5000/a/b/c:v_1.0-x", "127.0.0.1:5000/a/b/c:v_1.0-x"),
            ("a.b/c__d.e---f", "a.b/c__d.e---f:latest"),
        ] {
            assert_eq!(completed(text), expected, "{text}");
            assert_eq!(completed(expected), expected, "what is complete stays as it is");
        }
        assert_eq!(completed(&format!("web@{digest}")), format!("docker.io/library/web@{digest}"));
        assert_eq!(completed(&format!("web:1@{digest}")), format!("docker.io/library/web:1@{digest}"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(256);
        for text in [
            "",
            " ",
            "Web",
            "a b",
            "../etc",
            "a/../b",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a:-x",
            "a@sha256:12",
            "a@x",
            "a...b",
            "a_-b",
            "-a.b/c",
            "a.b:99999/c",
            "a.b:x/c",
            "a\0b",
            "a\n",
            "é",
            "http://a/b",
            "a:b:c",
            "$(x)",
            "a;b",
            &long,
        ] {
            let error = text.parse::<ImageName>().expect_err(text);
            assert!(error.to_string().len() < 1_000, "{error}");
        }
    }
}
