//! [`SharedMap`]: a map whose copies share what they have in common.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// A map whose copies share what they have in common: a copy costs one counter, and a change of one of them copies the
/// few nodes on the way to what is changed. A trie of hashes, four bits a level.
pub(super) struct SharedMap<K, V> {
    root: Slot<K, V>,
}

type Slot<K, V> = Option<Arc<Node<K, V>>>;

#[derive(Clone)]
enum Node<K, V> {
    Branch([Slot<K, V>; WIDTH]),
    /// All entries of one hash.
    Leaf(u64, Vec<(K, V)>),
}

const BITS: u32 = 4;
const WIDTH: usize = 1 << BITS;

impl<K, V> SharedMap<K, V>
where
    K: Clone + Eq + Hash,
    V: Clone,
{
    /// The value of `key`.
    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let hash = hash_of(key);
        let (mut node, mut level) = (self.root.as_deref()?, 0);
        loop {
            match node {
                Node::Branch(children) => node = children[index(hash, level)].as_deref()?,
                Node::Leaf(of, entries) if *of == hash => {
                    return entries.iter().find(|(candidate, _)| candidate.borrow() == key).map(|(_, value)| value);
                }
                Node::Leaf(..) => return None,
            }
            level += 1;
        }
    }

    /// Puts `value` in the place of the one that `key` has.
    pub(super) fn insert(&mut self, key: K, value: V) {
        let hash = hash_of(&key);
        insert(&mut self.root, 0, hash, (key, value));
    }

    /// Takes out `key`.
    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if self.get(key).is_some() {
            remove(&mut self.root, 0, hash_of(key), &|candidate| candidate.borrow() == key);
        }
    }

    /// Shows every entry, in no order that means anything, until one is not as wanted.
    fn all(&self, wanted: &mut dyn FnMut(&K, &V) -> bool) -> bool {
        fn all<K, V>(slot: &Slot<K, V>, wanted: &mut dyn FnMut(&K, &V) -> bool) -> bool {
            match slot.as_deref() {
                None => true,
                Some(Node::Branch(children)) => children.iter().all(|child| all(child, wanted)),
                Some(Node::Leaf(_, entries)) => entries.iter().all(|(key, value)| wanted(key, value)),
            }
        }
        all(&self.root, wanted)
    }

    fn len(&self) -> usize {
        let mut count = 0;
        self.all(&mut |_, _| {
            count += 1;
            true
        });
        count
    }
}

fn hash_of<Q: Hash + ?Sized>(key: &Q) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

fn index(hash: u64, level: u32) -> usize {
    (hash >> (level * BITS)) as usize % WIDTH
}

fn insert<K: Clone + Eq, V: Clone>(slot: &mut Slot<K, V>, level: u32, hash: u64, entry: (K, V)) {
    let Some(node) = slot else {
        *slot = Some(Arc::new(Node::Leaf(hash, vec![entry])));
        return;
    };
    // A leaf of another hash goes a level deeper. Different hashes part within 64 bits.
    if let Node::Leaf(of, _) = **node
        && of != hash
    {
        let mut children = [const { None }; WIDTH];
        children[index(of, level)] = Some(Arc::clone(node));
        *node = Arc::new(Node::Branch(children));
    }
    match Arc::make_mut(node) {
        Node::Branch(children) => insert(&mut children[index(hash, level)], level + 1, hash, entry),
        Node::Leaf(_, entries) => match entries.iter_mut().find(|(key, _)| *key == entry.0) {
            Some(old) => *old = entry,
            None => entries.push(entry),
        },
    }
}

/// Takes out what is there for sure, and the nodes that are of no use then.
fn remove<K: Clone, V: Clone>(slot: &mut Slot<K, V>, level: u32, hash: u64, is_key: &dyn Fn(&K) -> bool) {
    let Some(node) = slot else { return };
    let rest = match Arc::make_mut(node) {
        Node::Leaf(_, entries) => {
            entries.retain(|(key, _)| !is_key(key));
            if entries.is_empty() { None } else { return }
        }
        Node::Branch(children) => {
            remove(&mut children[index(hash, level)], level + 1, hash, is_key);
            let mut left = children.iter().flatten();
            match (left.next(), left.next()) {
                (None, _) => None,
                (Some(only), None) if matches!(**only, Node::Leaf(..)) => Some(Arc::clone(only)),
                _ => return,
            }
        }
    };
    *slot = rest;
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone() }
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<K: Clone + Eq + Hash, V: Clone + PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.all(&mut |key, value| other.get(key) == Some(value))
    }
}

impl<K: Clone + Eq + Hash + Ord + fmt::Debug, V: Clone + fmt::Debug> fmt::Debug for SharedMap<K, V> {
    /// In the order of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entries = std::collections::BTreeMap::new();
        self.all(&mut |key, value| {
            entries.insert(key.clone(), value.clone());
            true
        });
        f.debug_map().entries(entries).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A key with a hash of few values and equal ends, so that entries meet in leaves and deep in the trie.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Crowded(u8);

    impl Hash for Crowded {
        fn hash<H: Hasher>(&self, state: &mut H) {
            (self.0 % 7).hash(state);
        }
    }

    fn is_the_same<K: Clone + Eq + Hash + Ord + fmt::Debug>(map: &SharedMap<K, u8>, model: &BTreeMap<K, u8>) -> bool {
        let mut fresh = SharedMap::default();
        model.iter().for_each(|(key, value)| fresh.insert(key.clone(), *value));
        model.iter().all(|(key, value)| map.get(key) == Some(value))
            && map.len() == model.len()
            && *map == fresh
            && format!("{map:?}") == format!("{model:?}")
    }

    fn steps() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
        prop::collection::vec((any::<u8>(), any::<Option<u8>>()), 0..200)
    }

    fn follows_the_model<K: Clone + Eq + Hash + Ord + fmt::Debug>(steps: &[(u8, Option<u8>)], key: fn(u8) -> K) {
        let (mut map, mut model) = (SharedMap::default(), BTreeMap::new());
        let mut copies = Vec::new();
        for (index, (number, value)) in steps.iter().enumerate() {
            if index % 16 == 0 {
                copies.push((map.clone(), model.clone()));
            }
            match value {
                Some(value) => {
                    map.insert(key(*number), *value);
                    model.insert(key(*number), *value);
                }
                None => {
                    map.remove(&key(*number));
                    model.remove(&key(*number));
                }
            }
        }
        copies.push((map.clone(), model.clone()));
        assert!(copies.iter().all(|(map, model)| is_the_same(map, model)), "a copy changed with another one");
        model.keys().for_each(|key| map.remove(key));
        assert!(map.root.is_none(), "an empty map keeps no node");
    }

    proptest! {
        #[test]
        fn a_map_and_each_copy_of_it_are_what_ordinary_maps_would_be(steps in steps()) {
            follows_the_model(&steps, |number| number);
            follows_the_model(&steps, Crowded);
        }
    }

    #[test]
    fn a_change_copies_a_few_nodes_and_not_the_map() {
        let mut map = SharedMap::default();
        (0..20_000_u32).for_each(|number| map.insert(number, number));
        let copy = map.clone();
        map.insert(7, 0);
        let (Some(Node::Branch(new)), Some(Node::Branch(old))) = (map.root.as_deref(), copy.root.as_deref()) else {
            panic!("so many entries need a branch");
        };
        let shared = new.iter().zip(old).filter(|(new, old)| match (new, old) {
            (Some(new), Some(old)) => Arc::ptr_eq(new, old),
            _ => false,
        });
        assert_eq!(shared.count(), WIDTH - 1);
    }
}
