//! [`Root`]: all apps and groups that shall be, and those that were.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::marathon::model::{App, AppId, Version};

/// All apps and groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Root {
    /// The apps.
    pub apps: BTreeMap<AppId, Arc<App>>,
    /// What is known of groups; those that nothing is known of are there nevertheless, as long as something is in them.
    pub groups: BTreeMap<AppId, Arc<GroupInfo>>,
}

/// What is known of a group, beside what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupInfo {
    /// What is deployed before anything in it.
    pub dependencies: BTreeSet<AppId>,
    /// When it became what it is.
    pub version: Version,
}

/// A circle of apps that each wait for the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle(pub Vec<AppId>);

impl Root {
    /// Whether there is such a group: it was made, or something is in it.
    #[must_use]
    pub fn has_group(&self, id: &AppId) -> bool {
        id.is_root() || self.groups.keys().any(|group| group.is_within(id)) || self.apps_in(id).next().is_some()
    }

    /// The apps in a group and in the groups in it. An app is not in itself.
    pub fn apps_in<'a>(&'a self, group: &'a AppId) -> impl Iterator<Item = (&'a AppId, &'a Arc<App>)> {
        self.apps
            .range(group.clone()..)
            .take_while(move |(id, _)| id.as_str().starts_with(group.as_str()))
            .filter(move |(id, _)| id.is_within(group) && *id != group)
    }

    /// The groups that are in a group, but not deeper.
    #[must_use]
    pub fn groups_in(&self, group: &AppId) -> BTreeSet<AppId> {
        let depth = group.names().count();
        let below = self.groups.keys().cloned().chain(self.apps_in(group).filter_map(|(id, _)| id.group()));
        let ancestor = |id: AppId| {
            let mut id = id;
            while id.names().count() > depth + 1 {
                id = id.group()?;
            }
            Some(id)
        };
        below.filter(|id| id.is_within(group) && id != group).filter_map(ancestor).collect()
    }

    /// When a group, or anything in it, last became what it is.
    #[must_use]
    pub fn version_of(&self, group: &AppId) -> Version {
        let apps = self.apps_in(group).map(|(_, app)| app.version);
        let groups = self.groups.iter().filter(|(id, _)| id.is_within(group)).map(|(_, info)| info.version);
        apps.chain(groups).max().unwrap_or_default()
    }

    /// The apps that each app waits for, if it waits for any: those that it names, and those of the groups that it names or that a group around
    /// it names.
    #[must_use]
    pub fn dependencies(&self) -> BTreeMap<&AppId, BTreeSet<&AppId>> {
        let named = |id: &AppId, app: &App| -> BTreeSet<AppId> {
            let mut all = app.dependencies.clone();
            let mut around = id.group();
            while let Some(group) = around {
                all.extend(self.groups.get(&group).into_iter().flat_map(|info| info.dependencies.iter().cloned()));
                around = group.group();
            }
            all
        };
        let mut all = BTreeMap::new();
        let groups_wait = self.groups.values().any(|info| !info.dependencies.is_empty());
        for (id, app) in &self.apps {
            if app.dependencies.is_empty() && !groups_wait {
                continue;
            }
            let mut needed = BTreeSet::new();
            for name in named(id, app) {
                needed.extend(self.apps.get_key_value(&name).map(|(id, _)| id));
                let below =
                    self.apps.range(name.clone()..).take_while(|(id, _)| id.as_str().starts_with(name.as_str()));
                needed.extend(below.map(|(id, _)| id).filter(|id| id.is_within(&name)));
            }
            // What is itself in a group that it waits for does not wait for itself; unless it says so by its name.
            if !app.dependencies.contains(id) {
                needed.remove(id);
            }
            all.insert(id, needed);
        }
        all
    }

    /// Some apps in layers: whatever an app waits for is in an earlier one, or not among them.
    ///
    /// # Errors
    /// [`Circle`]: among all apps there are some that wait for each other.
    pub fn layers(&self, some: &BTreeSet<AppId>) -> Result<Vec<BTreeSet<AppId>>, Circle> {
        let needs = self.dependencies();
        if needs.is_empty() {
            let all: BTreeSet<AppId> = some.iter().filter(|id| self.apps.contains_key(*id)).cloned().collect();
            return Ok(if all.is_empty() { Vec::new() } else { vec![all] });
        }
        let mut depths = BTreeMap::<&AppId, Option<usize>>::new();
        for id in self.apps.keys() {
            depth(id, &needs, some, &mut depths, &mut Vec::new())?;
        }
        let mut layers = BTreeMap::<usize, BTreeSet<AppId>>::new();
        for id in some {
            if let Some(Some(depth)) = depths.get(id) {
                layers.entry(*depth).or_default().insert(id.clone());
            }
        }
        Ok(layers.into_values().collect())
    }
}

/// How many of `some` have to be deployed one after another before an app. Walks without recursion: chains may be long.
fn depth<'a>(
    start: &'a AppId,
    needs: &BTreeMap<&'a AppId, BTreeSet<&'a AppId>>,
    some: &BTreeSet<AppId>,
    depths: &mut BTreeMap<&'a AppId, Option<usize>>,
    path: &mut Vec<&'a AppId>,
) -> Result<(), Circle> {
    path.push(start);
    while let Some(id) = path.last().copied() {
        let needed = needs.get(id).into_iter().flatten().copied();
        if matches!(depths.get(id), Some(Some(_))) {
            path.pop();
            continue;
        }
        depths.insert(id, None);
        let mut deepest = 0;
        let mut unknown = None;
        for other in needed {
            match depths.get(other) {
                Some(Some(depth)) => deepest = deepest.max(depth + usize::from(some.contains(other))),
                Some(None) => {
                    let from = path.iter().position(|known| *known == other).unwrap_or_default();
                    return Err(Circle(path[from..].iter().map(|id| (*id).clone()).collect()));
                }
                None => unknown = Some(other),
            }
        }
        match unknown {
            Some(other) => path.push(other),
            None => {
                depths.insert(id, Some(deepest));
                path.pop();
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> AppId {
        text.parse().expect(text)
    }

    fn ids(texts: &[&str]) -> BTreeSet<AppId> {
        texts.iter().map(|text| id(text)).collect()
    }

    fn root(apps: &[(&str, &[&str])], groups: &[(&str, &[&str])]) -> Root {
        let app = |(name, needs): &(&str, &[&str])| {
            let app = serde_json::json!({ "id": name, "cmd": "x", "dependencies": needs });
            (id(name), Arc::new(serde_json::from_value::<App>(app).expect("an app")))
        };
        let group = |(name, needs): &(&str, &[&str])| {
            (id(name), Arc::new(GroupInfo { dependencies: ids(needs), version: Version(1) }))
        };
        Root { apps: apps.iter().map(app).collect(), groups: groups.iter().map(group).collect() }
    }

    #[test]
    fn what_others_wait_for_comes_before_them() {
        let root = root(
            &[("/db", &[]), ("/shop/cache", &["/db"]), ("/shop/web", &["/shop/cache"]), ("/other", &["/shop"])],
            &[("/shop", &["/db"])],
        );
        let all = root.apps.keys().cloned().collect();
        let layers = root.layers(&all).expect("no circle");
        assert_eq!(layers, [ids(&["/db"]), ids(&["/shop/cache"]), ids(&["/shop/web"]), ids(&["/other"])]);
        let some = root.layers(&ids(&["/db", "/shop/web"])).expect("no circle");
        assert_eq!(some, [ids(&["/db"]), ids(&["/shop/web"])]);
    }

    #[test]
    fn a_circle_is_named() {
        for (apps, circle) in [
            (vec![("/a", &["/b"][..]), ("/b", &["/c"]), ("/c", &["/a"])], 3),
            (vec![("/a", &["/a"][..])], 1),
            (vec![("/a", &["/g"][..]), ("/g/b", &["/a"])], 2),
        ] {
            let found = root(&apps, &[]).layers(&BTreeSet::new()).expect_err("a circle");
            assert_eq!(found.0.len(), circle, "{found:?}");
        }
    }

    #[test]
    fn a_long_chain_is_no_problem() {
        let apps: Vec<(String, Vec<String>)> =
            (0..5_000).map(|number: u32| (format!("/a{number:05}"), vec![format!("/a{:05}", number + 1)])).collect();
        let texts: Vec<(&str, Vec<&str>)> =
            apps.iter().map(|(id, needs)| (id.as_str(), needs.iter().map(String::as_str).collect())).collect();
        let slices: Vec<(&str, &[&str])> = texts.iter().map(|(id, needs)| (*id, needs.as_slice())).collect();
        let root = root(&slices, &[]);
        let all: BTreeSet<AppId> = root.apps.keys().cloned().collect();
        assert_eq!(root.layers(&all).expect("no circle").len(), 5_000);
    }

    #[test]
    fn groups_are_there_when_something_is_in_them_or_they_were_made() {
        let root = root(&[("/shop/eu/web", &[]), ("/shopping", &[])], &[("/empty/inner", &[])]);
        assert_eq!(root.groups_in(&AppId::root()), ids(&["/shop", "/empty"]));
        assert_eq!(root.groups_in(&id("/shop")), ids(&["/shop/eu"]));
        assert!(root.has_group(&id("/shop")) && root.has_group(&id("/empty")) && !root.has_group(&id("/shopping")));
        assert_eq!(root.apps_in(&id("/shop")).count(), 1);
    }
}
