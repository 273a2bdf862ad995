//! Names that are safe as parts of paths, labels and arguments: [`PodUid`], [`ContainerName`], [`ContainerId`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::object::Uid;
use crate::validation::is_dns_label;

/// A pod's uid, checked: 1 to 63 of `a-z`, `0-9` and `-`, as every UUID is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PodUid(String);

/// A container's name, checked: a DNS-1123 label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerName(String);

/// Why text is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a valid {what}: use at most 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit"
)]
pub struct IdError {
    what: &'static str,
    text: String,
}

macro_rules! checked_text {
    ($type:ident, $what:literal) => {
        impl $type {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                if is_dns_label(&text) { Ok(Self(text)) } else { Err(IdError { what: $what, text }) }
            }
        }

        impl FromStr for $type {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.to_owned().try_into()
            }
        }

        impl From<$type> for String {
            fn from(checked: $type) -> Self {
                checked.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text!(PodUid, "pod uid");
checked_text!(ContainerName, "container name");

impl TryFrom<&Uid> for PodUid {
    type Error = IdError;

    fn try_from(uid: &Uid) -> Result<Self, IdError> {
        uid.as_str().parse()
    }
}

/// One attempt to run one container of one pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContainerId {
    /// The pod.
    pub pod: PodUid,
    /// The container within the pod.
    pub name: ContainerName,
    /// Counts the starts of this container, from 0.
    pub attempt: u32,
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.pod, self.name, self.attempt)
    }
}
