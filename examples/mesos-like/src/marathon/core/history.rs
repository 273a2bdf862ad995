//! [`History`]: what apps were.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::marathon::model::{App, AppId, Version};

/// What apps were, by version; nothing stands for one that was deleted.
#[derive(Clone, Debug, Default)]
pub struct History {
    apps: BTreeMap<AppId, BTreeMap<Version, Option<Arc<App>>>>,
}

/// Of how many apps that are no more the past is kept.
const MOST_DELETED: usize = 100;

impl History {
    /// What an app was by this version.
    #[must_use]
    pub fn get(&self, id: &AppId, version: Version) -> Option<&Arc<App>> {
        self.apps.get(id)?.get(&version)?.as_ref()
    }

    /// What an app was at some time: nothing if it was not there.
    #[must_use]
    pub fn at(&self, id: &AppId, time: Version) -> Option<&Arc<App>> {
        self.apps.get(id)?.range(..=time).next_back()?.1.as_ref()
    }

    /// The versions of an app, the newest first.
    pub fn versions(&self, id: &AppId) -> impl Iterator<Item = Version> {
        let versions = self.apps.get(id).into_iter().flatten().filter(|(_, app)| app.is_some());
        versions.rev().map(|(version, _)| *version)
    }

    /// The apps in a group that are or were, and when something about them changed.
    pub fn in_group<'a>(
        &'a self,
        group: &'a AppId,
    ) -> impl Iterator<Item = (&'a AppId, impl Iterator<Item = Version>)> {
        let inside = self.apps.iter().filter(move |(id, _)| id.is_within(group) && *id != group);
        inside.map(|(id, versions)| (id, versions.keys().copied()))
    }

    /// What an app became.
    pub fn put(&mut self, id: &AppId, version: Version, app: Option<Arc<App>>) {
        self.apps.entry(id.clone()).or_default().insert(version, app);
    }

    /// Forgets the oldest versions of an app, if there are more than so many, but for those that somebody needs. Returns
    /// which.
    pub fn trim(&mut self, id: &AppId, most: usize, needed: &BTreeSet<Version>) -> Vec<Version> {
        let Some(versions) = self.apps.get_mut(id) else { return Vec::new() };
        let excess = versions.len().saturating_sub(most.max(1));
        let gone: Vec<Version> =
            versions.keys().take(excess).filter(|version| !needed.contains(*version)).copied().collect();
        gone.iter().for_each(|version| drop(versions.remove(version)));
        gone
    }

    /// Forgets apps that are no more, the earliest first, if there are many. Returns all that is forgotten.
    pub fn forget(&mut self, is_needed: impl Fn(&AppId) -> bool) -> Vec<(AppId, Version)> {
        let deleted = |versions: &BTreeMap<Version, Option<Arc<App>>>| {
            versions.last_key_value().filter(|(_, app)| app.is_none()).map(|(version, _)| *version)
        };
        let mut gone: Vec<(Version, AppId)> = self
            .apps
            .iter()
            .filter(|(id, _)| !is_needed(id))
            .filter_map(|(id, versions)| deleted(versions).map(|version| (version, id.clone())))
            .collect();
        gone.sort_unstable();
        let excess = gone.len().saturating_sub(MOST_DELETED);
        let mut forgotten = Vec::new();
        for (_, id) in gone.into_iter().take(excess) {
            let versions = self.apps.remove(&id).unwrap_or_default();
            forgotten.extend(versions.into_keys().map(|version| (id.clone(), version)));
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(id: &AppId) -> Option<Arc<App>> {
        let app = serde_json::json!({ "id": id, "cmd": "x" });
        Some(Arc::new(serde_json::from_value(app).expect("an app")))
    }

    #[test]
    fn an_app_is_what_it_was_at_a_time() {
        let (mut history, id) = (History::default(), "/web".parse::<AppId>().expect("an id"));
        history.put(&id, Version(10), app(&id));
        history.put(&id, Version(20), None);
        history.put(&id, Version(30), app(&id));
        let there = |time| history.at(&id, Version(time)).is_some();
        assert_eq!([5, 10, 19, 20, 29, 30, 99].map(there), [false, true, true, false, false, true, true]);
        assert_eq!(history.versions(&id).collect::<Vec<_>>(), [Version(30), Version(10)]);
    }

    #[test]
    fn what_is_too_old_is_forgotten_unless_it_is_needed() {
        let (mut history, id) = (History::default(), "/web".parse::<AppId>().expect("an id"));
        (1..=5).for_each(|version| history.put(&id, Version(version), app(&id)));
        assert_eq!(history.trim(&id, 2, &BTreeSet::from([Version(2)])), [Version(1), Version(3)]);
        for number in 0..150 {
            let id: AppId = format!("/gone-{number}").parse().expect("an id");
            history.put(&id, Version(100 + number), None);
        }
        let forgotten = history.forget(|id| id.as_str() == "/gone-0");
        assert_eq!(forgotten.len(), 49);
        assert_eq!(forgotten[0].0.as_str(), "/gone-1");
    }
}
