//! Proportional scaling: when the number asked for changes in the midst of a rollout, each replica set gets its share
//! (`scale` in Kubernetes' `deployment/sync.go`).

use super::annotations;
use super::rollout::{Rollout, Set};

/// Whether the number asked for changed since the replica sets were last scaled.
pub(super) fn is_due(rollout: &Rollout<'_>) -> bool {
    let desired = i64::from(rollout.desired());
    let differs = |set: &Set| annotations::desired_replicas(&set.next.metadata).is_some_and(|was| was != desired);
    rollout.sets().any(|set| set.replicas() > 0 && differs(set))
}

/// Scales the replica sets for the number that is asked for, each in proportion to its size.
pub(super) fn scale(rollout: &mut Rollout<'_>) {
    let desired = rollout.desired();
    let active = rollout.sets().filter(|set| set.replicas() > 0).count();
    if active <= 1 {
        let set = if active == 1 {
            rollout.sets_mut().find(|set| set.replicas() > 0)
        } else {
            rollout.new.as_mut().or(rollout.old.last_mut())
        };
        if let Some(set) = set {
            set.scale(desired);
        }
        return;
    }
    if rollout.new.as_ref().is_some_and(|new| is_saturated(new, desired)) {
        rollout.old.iter_mut().for_each(|set| set.scale(0));
        return;
    }
    let allowed = if desired > 0 { desired.saturating_add(rollout.max_surge()) } else { 0 };
    let missing = allowed - rollout.asked_for();
    let mut sets: Vec<&mut Set> = rollout.sets_mut().filter(|set| set.replicas() > 0).collect();
    // The largest first, and of equals the newest when adding, the oldest when removing.
    sets.sort_by_cached_key(|set| (set.next.metadata.creation_timestamp, set.next.metadata.name.clone()));
    if missing > 0 {
        sets.reverse();
    }
    sets.sort_by_key(|set| std::cmp::Reverse(set.replicas()));
    let mut left = missing;
    let shares: Vec<i32> = sets
        .iter()
        .map(|set| {
            let share = share(set, allowed);
            let share = if missing > 0 { share.clamp(0, left.max(0)) } else { share.clamp(left.min(0), 0) };
            left -= share;
            share
        })
        .collect();
    for (index, (set, share)) in sets.into_iter().zip(shares).enumerate() {
        let rest = if index == 0 { left } else { 0 };
        set.scale(set.replicas() + share + rest);
    }
}

/// How many pods a set gains or loses when it grows like the whole, rounded to the nearest, halves away from zero.
fn share(set: &Set, allowed: i32) -> i32 {
    let (replicas, allowed) = (i64::from(set.replicas()), i64::from(allowed));
    let before = annotations::max_replicas(&set.next.metadata).filter(|before| *before > 0).unwrap_or(allowed).max(1);
    let size = (2 * replicas * allowed + before) / (2 * before);
    i32::try_from(size - replicas).unwrap_or(0)
}

fn is_saturated(new: &Set, desired: i32) -> bool {
    new.replicas() == desired
        && new.next.status.available_replicas == desired
        && annotations::desired_replicas(&new.next.metadata) == Some(i64::from(desired))
}
