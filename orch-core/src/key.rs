//! [`Key`]: the address of an object in a store, and [`Prefix`]: the address of many.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::kind::{Kind, Object as _, Scope};
use crate::object::IpAddress;
use crate::validation::{is_canonical_ipv6, is_dns_subdomain};

/// The address of one object: its kind's collection, its namespace if it has one, and its name.
///
/// A key is parsed, never assembled from raw text: each part is checked to be a DNS-1123 subdomain, so a key can
/// become a path, a file's name or an argument without a second look. The name of an [`IpAddress`] may also be an IPv6
/// address, and then has colons. Keys order as their text does, so all keys
/// under a [`Prefix`] stand together. Cloning is cheap.
///
/// ```
/// use orch_core::key::Key;
///
/// let key: Key = "deployments.apps/shop/web".parse()?;
/// assert_eq!((key.collection(), key.namespace(), key.name()), ("deployments.apps", Some("shop"), "web"));
/// let node: Key = "nodes/node-1".parse()?;
/// assert_eq!(node.namespace(), None);
/// assert!("pods/../etc/passwd".parse::<Key>().is_err());
/// # Ok::<(), orch_core::key::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// `collection/name` or `collection/namespace/name`.
    text: Arc<str>,
}

impl Key {
    /// The address of the object of `kind` called `name`, in `namespace` if the kind lives in namespaces.
    ///
    /// # Errors
    /// [`KeyError`] if a part is no DNS-1123 subdomain, or a namespace is missing or not wanted.
    pub fn new(kind: &Kind, namespace: Option<&str>, name: &str) -> Result<Self, KeyError> {
        match (kind.scope, namespace) {
            (Scope::Namespaced, None) => return Err(KeyError::NamespaceMissing { kind: kind.name }),
            (Scope::Cluster, Some(_)) => return Err(KeyError::NamespaceNotWanted { kind: kind.name }),
            _ => {}
        }
        Self::join(kind.collection, namespace, name)
    }

    fn join(collection: &str, namespace: Option<&str>, name: &str) -> Result<Self, KeyError> {
        let is_address = collection == IpAddress::KIND.collection && is_canonical_ipv6(name);
        let name_part = Some(name).filter(|_| !is_address);
        for part in [Some(collection), namespace, name_part].into_iter().flatten() {
            if !is_dns_subdomain(part) {
                return Err(KeyError::NotAName { text: part.to_owned() });
            }
        }
        let text = match namespace {
            Some(namespace) => [collection, "/", namespace, "/", name].concat(),
            None => [collection, "/", name].concat(),
        };
        Ok(Self { text: text.into() })
    }

    /// The collection, the plural name of the kind with its group: `pods`, `deployments.apps`.
    #[must_use]
    pub fn collection(&self) -> &str {
        self.text.split_once('/').map_or("", |(collection, _)| collection)
    }

    /// The namespace, if the kind lives in namespaces.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once('/')?;
        rest.split_once('/').map(|(namespace, _)| namespace)
    }

    /// The object's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.rsplit_once('/').map_or("", |(_, name)| name)
    }

    /// The whole key as text, the form that [`str::parse`] reads.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Keys equal, order and hash as their text does, so a map of keys can be asked with text: for all keys under a prefix.
impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let parts: Vec<&str> = text.splitn(4, '/').collect();
        match parts[..] {
            [collection, name] => Self::join(collection, None, name),
            [collection, namespace, name] => Self::join(collection, Some(namespace), name),
            _ => Err(KeyError::NotAKey { text: text.to_owned() }),
        }
    }
}

/// Why a key could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A part that is no DNS-1123 subdomain.
    #[error(
        "{text:?} is not a valid name: use at most 253 of a-z, 0-9, '-' and '.', beginning and ending with a letter or digit"
    )]
    NotAName {
        /// The part as given.
        text: String,
    },
    /// Text that has not two or three parts.
    #[error("{text:?} is not a key: expected collection/name or collection/namespace/name")]
    NotAKey {
        /// The text as given.
        text: String,
    },
    /// A kind that lives in namespaces was addressed without one.
    #[error("a {kind} lives in a namespace: set metadata.namespace")]
    NamespaceMissing {
        /// The kind's name.
        kind: &'static str,
    },
    /// A kind that lives outside namespaces was addressed with one.
    #[error("a {kind} does not live in a namespace: remove metadata.namespace")]
    NamespaceNotWanted {
        /// The kind's name.
        kind: &'static str,
    },
}

/// The address of many objects: all of a store, of a collection, or of a namespace in a collection.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// Empty, or ends with `/`.
    text: Arc<str>,
}

impl Prefix {
    /// Everything in the store.
    #[must_use]
    pub fn all() -> Self {
        Self { text: "".into() }
    }

    /// Every object of a kind, in all namespaces.
    #[must_use]
    pub fn collection(kind: &Kind) -> Self {
        Self { text: [kind.collection, "/"].concat().into() }
    }

    /// Every object of a kind in one namespace.
    ///
    /// # Errors
    /// [`KeyError`] if the kind has no namespaces or the text is no name.
    pub fn namespace(kind: &Kind, namespace: &str) -> Result<Self, KeyError> {
        if kind.scope == Scope::Cluster {
            return Err(KeyError::NamespaceNotWanted { kind: kind.name });
        }
        if !is_dns_subdomain(namespace) {
            return Err(KeyError::NotAName { text: namespace.to_owned() });
        }
        Ok(Self { text: [kind.collection, "/", namespace, "/"].concat().into() })
    }

    /// Whether `key` lies under this prefix.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        key.as_str().starts_with(&*self.text)
    }

    /// Where the keys under this prefix end: they are all keys from its own text on and before this one. `None` if that is
    /// all the rest.
    #[must_use]
    pub fn end(&self) -> Option<String> {
        // What follows '/' in ASCII.
        self.text.strip_suffix('/').map(|text| [text, "0"].concat())
    }

    /// The prefix as text: empty, or ending with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}*", self.text)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}*", self.text)
    }
}
