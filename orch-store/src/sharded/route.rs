//! [`Route`]: which objects live in which shard, and [`Routing`]: all routes, looked up.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::key::{Key, Prefix};

/// Says in which shard the objects under a prefix live. Of several routes the one with the longest prefix counts: that
/// of the namespace before that of the collection before that of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which objects.
    pub prefix: Prefix,
    /// The name of the shard in which they live.
    pub shard: String,
}

impl Route {
    /// Objects under `prefix` live in `shard`.
    pub fn new(prefix: Prefix, shard: impl Into<String>) -> Self {
        Self { prefix, shard: shard.into() }
    }
}

/// Why shards and routes do not make a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoutingError {
    /// Two shards have one name.
    #[error("there are two shards called {shard:?}: give each a name of its own")]
    ShardNamedTwice {
        /// The name.
        shard: String,
    },
    /// A route leads nowhere.
    #[error("{prefix} is routed to {shard:?}, which is none of the shards {}", shards.join(", "))]
    UnknownShard {
        /// What is routed.
        prefix: Prefix,
        /// Whereto.
        shard: String,
        /// The shards that there are.
        shards: Vec<String>,
    },
    /// Two routes have one prefix.
    #[error("{prefix} is routed twice, to {:?} and to {:?}: keep one of the two", shards[0], shards[1])]
    RoutedTwice {
        /// What is routed.
        prefix: Prefix,
        /// Whereto.
        shards: [String; 2],
    },
    /// No route is for everything, so there are objects that live nowhere.
    #[error("no route is for what no other route is for: add one of Prefix::all()")]
    DefaultMissing,
}

/// All routes, with shards as their numbers.
#[derive(Debug)]
pub(super) struct Routing {
    default: usize,
    /// The collections that have routes of their own.
    collections: BTreeMap<String, Collection>,
}

#[derive(Debug)]
struct Collection {
    shard: usize,
    /// The namespaces that have routes of their own.
    namespaces: BTreeMap<String, usize>,
}

impl Collection {
    fn reach(&self) -> impl Iterator<Item = usize> {
        self.namespaces.values().copied().chain([self.shard])
    }
}

impl Routing {
    pub(super) fn new(shards: &[&str], routes: &[Route]) -> Result<Self, RoutingError> {
        let mut known = BTreeSet::new();
        if let Some(twice) = shards.iter().find(|shard| !known.insert(**shard)) {
            return Err(RoutingError::ShardNamedTwice { shard: (*twice).to_owned() });
        }
        let mut by_prefix: BTreeMap<&Prefix, usize> = BTreeMap::new();
        for Route { prefix, shard } in routes {
            let number = shards.iter().position(|name| name == shard).ok_or_else(|| RoutingError::UnknownShard {
                prefix: prefix.clone(),
                shard: shard.clone(),
                shards: shards.iter().map(|&name| name.to_owned()).collect(),
            })?;
            if let Some(other) = by_prefix.insert(prefix, number) {
                let shards = [shards[other].to_owned(), shard.clone()];
                return Err(RoutingError::RoutedTwice { prefix: prefix.clone(), shards });
            }
        }
        let default = *by_prefix.get(&Prefix::all()).ok_or(RoutingError::DefaultMissing)?;
        let mut collections: BTreeMap<String, Collection> = BTreeMap::new();
        for (prefix, shard) in by_prefix {
            let (Some(collection), namespace) = parts(prefix) else { continue };
            let new = || Collection { shard: default, namespaces: BTreeMap::new() };
            let collection = collections.entry(collection.to_owned()).or_insert_with(new);
            match namespace {
                Some(namespace) => drop(collection.namespaces.insert(namespace.to_owned(), shard)),
                None => collection.shard = shard,
            }
        }
        Ok(Self { default, collections })
    }

    /// The shard in which the object at `key` lives.
    pub(super) fn home(&self, key: &Key) -> usize {
        self.place(key.collection(), key.namespace())
    }

    fn place(&self, collection: &str, namespace: Option<&str>) -> usize {
        let Some(collection) = self.collections.get(collection) else { return self.default };
        let of_namespace = namespace.and_then(|namespace| collection.namespaces.get(namespace));
        of_namespace.copied().unwrap_or(collection.shard)
    }

    /// Whether namespaces of the collection have routes of their own.
    pub(super) fn is_apart(&self, collection: &str) -> bool {
        self.collections.get(collection).is_some_and(|collection| !collection.namespaces.is_empty())
    }

    /// The shards in which objects under `prefix` may live.
    pub(super) fn reach(&self, prefix: &Prefix) -> BTreeSet<usize> {
        match parts(prefix) {
            (None, _) => self.collections.values().flat_map(Collection::reach).chain([self.default]).collect(),
            (Some(collection), None) => match self.collections.get(collection) {
                Some(collection) => collection.reach().collect(),
                None => [self.default].into(),
            },
            (Some(collection), namespace) => [self.place(collection, namespace)].into(),
        }
    }
}

/// The collection and the namespace of a prefix, if it has them.
fn parts(prefix: &Prefix) -> (Option<&str>, Option<&str>) {
    let mut parts = prefix.as_str().split_terminator('/');
    (parts.next(), parts.next())
}
