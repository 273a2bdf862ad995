//! How the instances of one app become what they shall be: which are ended, and how many are started.

use std::collections::BTreeMap;

use crate::marathon::model::{App, KillSelection, Version};

/// An instance, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Which.
    pub id: String,
    /// Whether it runs what the app is now.
    pub is_current: bool,
    /// Whether it serves: it runs, works and is ready.
    pub serves: bool,
    /// Whether it is being ended already.
    pub is_ending: bool,
    /// Whether it is started again where it is, once it has ended.
    pub comes_back: bool,
    /// Whether it does not count any more since its agent cannot be reached.
    pub is_lost: bool,
    /// When it was started.
    pub since: Version,
    /// In which group it is, for apps that are spread over groups.
    pub group: Option<String>,
}

/// What is to be done about the instances of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// Which are ended.
    pub kills: Vec<String>,
    /// How many are started.
    pub launch: u32,
    /// Whether nothing is left to be done, or waited for.
    pub is_done: bool,
}

/// No instance shall run.
#[must_use]
pub(super) fn stop(views: &[View]) -> Wish {
    let kills = views.iter().filter(|view| !view.is_ending).map(|view| view.id.clone()).collect();
    Wish { kills, launch: 0, is_done: views.is_empty() }
}

/// As many instances shall run as the app has, of whichever version.
#[must_use]
pub(super) fn scale(app: &App, views: &[View]) -> Wish {
    let counted: Vec<&View> = views.iter().filter(|view| counts(view)).collect();
    let (wanted, there) = (app.instances as usize, counted.len());
    let kills = victims(app, counted.clone(), there.saturating_sub(wanted));
    // What is being ended still takes its place at its agent, but nothing waits for it to go, unless it is started again there.
    let coming_back = views.iter().filter(|view| view.comes_back).count();
    let launch = wanted.saturating_sub(there + coming_back);
    let is_done = there == wanted && counted.iter().all(|view| view.serves) && !views.iter().any(|view| view.is_ending);
    Wish { kills, launch: u32::try_from(launch).unwrap_or(u32::MAX), is_done }
}

/// As many instances shall run as the app has, all of them current. On the way at least
/// [`App::least_healthy`] serve, as far as they do, and at most [`App::most_running`] run, those that are being ended
/// among them.
///
/// Of the old ones as many are kept as are missing of the new ones that serve. Where nothing may be missing and nothing be
/// too much, one more may run; or, if the app's instances have disks of their own, one may be missing.
#[must_use]
pub(super) fn replace(app: &App, views: &[View]) -> Wish {
    let (current, old): (Vec<&View>, Vec<&View>) =
        views.iter().filter(|view| counts(view)).partition(|view| view.is_current);
    if old.is_empty() {
        let mut wish = scale(app, views);
        // Those that go still take their places: together there are never too many.
        let room = (app.most_running().max(app.instances) as usize)
            .saturating_sub(views.iter().filter(|view| !view.is_lost).count());
        wish.launch = wish.launch.min(u32::try_from(room).unwrap_or(u32::MAX));
        return wish;
    }
    let (wanted, there) = (app.instances as usize, views.iter().filter(|view| !view.is_lost).count());
    let (mut least, mut most) = (app.least_healthy() as usize, app.most_running() as usize);
    if least >= most && there >= most {
        if app.is_resident() { least = least.saturating_sub(1) } else { most += 1 }
    }
    let serving = |views: &[&View]| views.iter().filter(|view| view.serves).count();
    let mut all_serving = serving(&current) + serving(&old);
    let kept = least.saturating_sub(serving(&current));
    let (mut kills, mut left) = (Vec::new(), old.len());
    let mut order = ordered(app, old);
    // Those that do not serve go first.
    order.sort_by_key(|view| view.serves);
    for view in order {
        if left <= kept || (view.serves && all_serving <= least) {
            break;
        }
        left -= 1;
        all_serving -= usize::from(view.serves);
        kills.push(view.id.clone());
    }
    let excess = current.len().saturating_sub(wanted);
    let missing = wanted.saturating_sub(current.len());
    kills.extend(victims(app, current, excess));
    let launch = missing.min(most.saturating_sub(there));
    Wish { kills, launch: u32::try_from(launch).unwrap_or(u32::MAX), is_done: false }
}

fn counts(view: &View) -> bool {
    !view.is_ending && !view.is_lost
}

/// So many that can go: from the fullest group, those that do not serve first, then as the app says.
fn victims(app: &App, views: Vec<&View>, count: usize) -> Vec<String> {
    let mut order = ordered(app, views);
    order.sort_by_key(|view| view.serves);
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let mut sizes = BTreeMap::<&Option<String>, usize>::new();
        order.iter().for_each(|view| *sizes.entry(&view.group).or_default() += 1);
        let fullest = sizes.values().copied().max().unwrap_or_default();
        let Some(at) = order.iter().position(|view| sizes[&view.group] == fullest) else { break };
        chosen.push(order.remove(at).id.clone());
    }
    chosen
}

fn ordered<'a>(app: &App, mut views: Vec<&'a View>) -> Vec<&'a View> {
    views.sort_by(|one, other| match app.kill_selection {
        KillSelection::YoungestFirst => (other.since, &other.id).cmp(&(one.since, &one.id)),
        KillSelection::OldestFirst => (one.since, &one.id).cmp(&(other.since, &other.id)),
    });
    views
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::marathon::model::UpgradeStrategy;

    fn app(instances: u32, least: f64, over: f64) -> App {
        let upgrade_strategy = UpgradeStrategy { minimum_health_capacity: least, maximum_over_capacity: over };
        let app: App = serde_json::from_value(serde_json::json!({ "id": "/web", "cmd": "x" })).expect("an app");
        App { instances, upgrade_strategy, ..app }
    }

    fn views(old: usize, current: usize) -> Vec<View> {
        let view = |number: usize, is_current| View {
            id: format!("{number:02}"),
            is_current,
            serves: true,
            is_ending: false,
            comes_back: false,
            is_lost: false,
            since: Version(i64::try_from(number).expect("small")),
            group: None,
        };
        (0..old)
            .map(|number| view(number, false))
            .chain((old..old + current).map(|number| view(number, true)))
            .collect()
    }

    #[test]
    fn what_is_too_much_goes_youngest_first_and_from_the_fullest_group() {
        assert_eq!(scale(&app(2, 1.0, 1.0), &views(0, 4)).kills, ["03", "02"]);
        let oldest = App { kill_selection: KillSelection::OldestFirst, ..app(2, 1.0, 1.0) };
        assert_eq!(scale(&oldest, &views(0, 4)).kills, ["00", "01"]);
        let mut grouped = views(0, 4);
        for (view, group) in grouped.iter_mut().zip(["a", "a", "a", "b"]) {
            view.group = Some(group.to_owned());
        }
        assert_eq!(scale(&app(2, 1.0, 1.0), &grouped).kills, ["02", "01"]);
    }

    #[test]
    fn the_first_move_of_a_replacement_is_marathons() {
        // instances, minimumHealthCapacity, maximumOverCapacity: so many are ended and so many started at first
        for (instances, least, over, kills, launch) in [
            (4, 0.5, 0.5, 2, 2),
            (4, 1.0, 1.0, 0, 4),
            (4, 1.0, 0.0, 0, 1),
            (4, 0.0, 0.0, 4, 0),
            (3, 0.5, 0.0, 1, 0),
            (10, 0.9, 0.1, 1, 1),
            (1, 1.0, 0.0, 0, 1),
        ] {
            let wish = replace(&app(instances, least, over), &views(instances as usize, 0));
            assert_eq!((wish.kills.len(), wish.launch), (kills, launch), "{instances} {least} {over}");
        }
    }

    #[test]
    fn a_version_that_never_serves_stalls_and_keeps_the_old_ones() {
        let app = app(4, 0.5, 0.5);
        let mut now = views(2, 4);
        now.iter_mut().filter(|view| view.is_current).for_each(|view| view.serves = false);
        assert_eq!(replace(&app, &now), Wish::default());
    }

    /// Plays a replacement to its end: what is started serves after a while if the chance says so, what is ended goes after a
    /// while.
    fn play(app: &App, mut now: Vec<View>, chances: &[u8]) -> Result<Vec<View>, TestCaseError> {
        let (mut number, began_with) = (100, now.iter().filter(|view| view.serves).count());
        let least = (app.least_healthy() as usize).min(began_with);
        let most = (app.most_running() as usize).max(app.instances as usize + 1).max(now.len());
        for turn in 0..1_000 {
            let wish = replace(app, &now);
            if wish.is_done {
                return Ok(now);
            }
            for id in &wish.kills {
                now.iter_mut().filter(|view| view.id == *id).for_each(|view| {
                    view.is_ending = true;
                    view.serves = false;
                });
            }
            for _ in 0..wish.launch {
                number += 1;
                let view = View { id: number.to_string(), serves: false, ..views(0, 1).remove(0) };
                now.push(view);
            }
            let serving = now.iter().filter(|view| view.serves).count();
            prop_assert!(serving >= least, "{serving} serve, {least} must: {now:?}");
            prop_assert!(now.len() <= most, "{} run, {most} may: {now:?}", now.len());
            let chance = chances[turn % chances.len()];
            if chance.is_multiple_of(2) || wish == Wish::default() {
                now.retain(|view| !view.is_ending);
            }
            let is_next = |view: &&mut View| !view.serves && !view.is_ending && view.is_current;
            let goes_well = chance.is_multiple_of(3) || wish == Wish::default();
            if let Some(view) = now.iter_mut().find(is_next).filter(|_| goes_well) {
                view.serves = true;
            }
        }
        prop_assert!(false, "it never ends: {now:?}");
        Ok(now)
    }

    proptest! {
        #[test]
        fn whatever_the_strategy_a_replacement_ends_and_keeps_what_it_must(
            instances in 1..12_u32, least in 0..=4_u8, over in 0..=4_u8, sick in 0..4_usize,
            chances in proptest::collection::vec(any::<u8>(), 1..40),
        ) {
            let app = app(instances, f64::from(least) / 4.0, f64::from(over) / 4.0);
            let mut now = views(instances as usize, 0);
            now.iter_mut().take(sick).for_each(|view| view.serves = false);
            let end = play(&app, now, &chances)?;
            prop_assert_eq!(end.len(), instances as usize);
            prop_assert!(end.iter().all(|view| view.is_current && view.serves));
        }
    }
}
