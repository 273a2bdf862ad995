//! [`Names`]: how keys of the contract are called in etcd.

use bytes::Bytes;
use orch_core::key::{Key, Prefix};

/// How keys of the contract are called in etcd: a prefix and the key's text. Both order by their bytes, so a listing
/// comes in the order that the contract asks for.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Ends with `/`.
    root: String,
}

impl Names {
    /// Names under `root`, which ends with `/`.
    pub(super) fn under(root: &str) -> Self {
        debug_assert!(root.ends_with('/'), "{root:?} would share its beginning with other names");
        Self { root: root.to_owned() }
    }

    /// What the key is called.
    pub(super) fn of(&self, key: &Key) -> Bytes {
        [self.root.as_bytes(), key.as_str().as_bytes()].concat().into()
    }

    /// The first name under the prefix, and the first one behind it.
    pub(super) fn range(&self, prefix: &Prefix) -> (Bytes, Bytes) {
        let from = [self.root.as_bytes(), prefix.as_str().as_bytes()].concat();
        let mut end = from.clone();
        // Both the root and a prefix that is not empty end with a slash.
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        (from.into(), end.into())
    }

    /// The key that is called so, if it is one: others may have put something else under the root.
    pub(super) fn key(&self, name: &[u8]) -> Option<Key> {
        let text = name.strip_prefix(self.root.as_bytes())?;
        std::str::from_utf8(text).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_key_and_lies_in_the_range_of_its_prefixes() {
        let names = Names::under("/orch/");
        let key: Key = "pods/shop/web".parse().expect("a key");
        let name = names.of(&key);
        assert_eq!(name, "/orch/pods/shop/web");
        assert_eq!(names.key(&name), Some(key));
        let (from, end) = names.range(&Prefix::all());
        assert_eq!((&from[..], &end[..]), (&b"/orch/"[..], &b"/orch0"[..]));
        assert!(from <= name && name < end);
    }

    #[test]
    fn what_is_no_key_is_none() {
        let names = Names::under("/orch/");
        for name in [&b"/other/pods/a/b"[..], b"/orch/", b"/orch/pods", b"/orch/pods/\xff/a", b"/orch/Pods/a", b""] {
            assert_eq!(names.key(name), None, "{name:?}");
        }
    }
}
