//! [`ImagePullPolicy`]: when an image is fetched.

use serde::{Deserialize, Serialize};

/// When the image of a container is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ImagePullPolicy {
    /// Before every start; content that the node has already is not sent again.
    Always,
    /// When the node does not have it.
    #[default]
    IfNotPresent,
    /// Never: the node has it, or the container does not start.
    Never,
}

impl ImagePullPolicy {
    /// The policy of a container that names none: `Always` for an image that is known by the tag `latest` or by no
    /// tag, as what is meant by it changes; else `IfNotPresent`.
    #[must_use]
    pub fn default_for(image: &str) -> Self {
        let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
        // A colon before the last slash is that of a registry's port.
        let latest = match name.rsplit('/').next().and_then(|last| last.split_once(':')) {
            Some((_, tag)) => tag == "latest",
            None => digest.is_none(),
        };
        if latest { Self::Always } else { Self::IfNotPresent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_change_is_always_fetched() {
        use ImagePullPolicy::{Always, IfNotPresent};
        for (image, policy) in [
            ("web", Always),
            ("web:latest", Always),
            ("registry:5000/web", Always),
            ("registry:5000/web:latest", Always),
            ("web:latest@sha256:00", Always),
            ("web:1", IfNotPresent),
            ("registry:5000/team/web:1", IfNotPresent),
            ("web@sha256:00", IfNotPresent),
        ] {
            assert_eq!(ImagePullPolicy::default_for(image), policy, "{image}");
        }
    }
}
