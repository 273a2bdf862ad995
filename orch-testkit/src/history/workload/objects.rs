//! What the clients of a workload write, and where.

use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::{Lease, LeaseSpec, Namespace, ObjectMeta};
use orch_core::store::Value;

/// A few keys that all want. One namespace's name begins like another's.
const HOT: [&str; 4] = ["a/x", "a/y", "a-b/x", "b/x"];
const NAMESPACES: [&str; 3] = ["a", "a-b", "b"];
const COLD: u64 = 20;

/// A key: mostly one of those that all want.
pub(super) fn key(chance: u64) -> Key {
    let (kind, chance) = (chance % 8, chance / 8);
    let below = |count: u64| usize::try_from(chance % count).expect("a small number");
    match kind {
        0..5 => lease(HOT[below(HOT.len() as u64)]),
        5..7 => {
            let namespace = NAMESPACES[below(NAMESPACES.len() as u64)];
            lease(&format!("{namespace}/cold-{}", chance % COLD))
        }
        _ => Key::new(&Namespace::KIND, None, &format!("n-{}", chance % 4)).expect("a valid key"),
    }
}

/// Every key that [`key`] can give.
pub(super) fn all_keys() -> Vec<Key> {
    let hot = HOT.iter().map(|path| lease(path));
    let cold = NAMESPACES.iter().flat_map(|name| (0..COLD).map(move |number| lease(&format!("{name}/cold-{number}"))));
    let namespaces =
        (0..4).map(|number| Key::new(&Namespace::KIND, None, &format!("n-{number}")).expect("a valid key"));
    hot.chain(cold).chain(namespaces).collect()
}

/// A prefix.
pub(super) fn prefix(chance: u64) -> Prefix {
    match chance % 8 {
        0..3 => Prefix::namespace(&Lease::KIND, "a").expect("a valid prefix"),
        3 => Prefix::namespace(&Lease::KIND, "a-b").expect("a valid prefix"),
        4 => Prefix::namespace(&Lease::KIND, "b").expect("a valid prefix"),
        5 => Prefix::collection(&Lease::KIND),
        6 => Prefix::collection(&Namespace::KIND),
        _ => Prefix::all(),
    }
}

/// The key of a lease.
pub(super) fn lease(path: &str) -> Key {
    format!("{}/{path}", Lease::KIND.collection).parse().expect("a valid key")
}

/// An object for this key that is like no other.
pub(super) fn value(key: &Key, mark: &str) -> Value {
    let mut metadata = ObjectMeta {
        name: key.name().to_owned(),
        namespace: key.namespace().map(str::to_owned),
        ..ObjectMeta::default()
    };
    if key.namespace().is_some() {
        let spec = LeaseSpec { holder_identity: Some(mark.to_owned()), ..LeaseSpec::default() };
        return Value::new(Lease { metadata, spec });
    }
    metadata.annotations.insert("example.org/written-by".to_owned(), mark.to_owned());
    Value::new(Namespace { metadata, ..Namespace::default() })
}
