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

#[cfg(test)]
mod tests {
    use orch_core::kind::Object as _;
    use orch_core::object::{Event, Node, Pod};

    use super::*;

    const SHARDS: [&str; 3] = ["main", "pods", "shop"];

    fn shop() -> Prefix {
        Prefix::namespace(&Pod::KIND, "shop").expect("a valid prefix")
    }

    fn refused(routes: &[(Prefix, &str)]) -> RoutingError {
        let routes: Vec<Route> = routes.iter().map(|(prefix, shard)| Route::new(prefix.clone(), *shard)).collect();
        Routing::new(&SHARDS, &routes).expect_err("the routes contradict each other")
    }

    #[test]
    fn the_longest_prefix_counts_whatever_the_order_of_the_routes() {
        let mut routes = vec![
            Route::new(Prefix::all(), "main"),
            Route::new(Prefix::collection(&Pod::KIND), "pods"),
            Route::new(shop(), "shop"),
        ];
        for _ in 0..routes.len() {
            routes.rotate_left(1);
            let routing = Routing::new(&SHARDS, &routes).expect("the routes fit together");
            let home = |key: &str| SHARDS[routing.home(&key.parse().expect("a valid key"))];
            let places = ["nodes/shop", "events/shop/web", "pods/depot/web", "pods/shop/web", "pods/shop-2/web"];
            assert_eq!(places.map(home), ["main", "main", "pods", "shop", "pods"]);
            let reach = |prefix: &Prefix| -> Vec<&str> {
                routing.reach(prefix).into_iter().map(|number| SHARDS[number]).collect()
            };
            assert_eq!(reach(&Prefix::all()), SHARDS);
            assert_eq!(reach(&Prefix::collection(&Node::KIND)), ["main"]);
            assert_eq!(reach(&Prefix::collection(&Pod::KIND)), ["pods", "shop"]);
            assert_eq!(reach(&shop()), ["shop"]);
        }
    }

    #[test]
    fn what_leads_into_one_shard_reaches_one_shard() {
        let events = Route::new(Prefix::collection(&Event::KIND), "main");
        let routes = [Route::new(Prefix::all(), "main"), Route::new(shop(), "main"), events];
        let routing = Routing::new(&SHARDS, &routes).expect("the routes fit together");
        assert_eq!(routing.reach(&Prefix::all()), [0].into());
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_what_to_do() {
        let twice = Routing::new(&["main", "main"], &[]).expect_err("two shards have one name");
        assert_eq!(twice.to_string(), "there are two shards called \"main\": give each a name of its own");
        assert_eq!(
            refused(&[(Prefix::all(), "main"), (shop(), "shoop")]).to_string(),
            "pods/shop/* is routed to \"shoop\", which is none of the shards main, pods, shop"
        );
        assert_eq!(
            refused(&[(Prefix::all(), "main"), (shop(), "pods"), (shop(), "shop")]).to_string(),
            "pods/shop/* is routed twice, to \"pods\" and to \"shop\": keep one of the two"
        );
        assert_eq!(refused(&[(shop(), "pods")]), RoutingError::DefaultMissing);
    }
}
