//! How old pods give way to new ones.

use super::rollout::{Rollout, Set};

/// Rolling update: as many new pods as the surge allows, and away with as many old ones as availability allows
/// (`reconcileNewReplicaSet` and `reconcileOldReplicaSets` in Kubernetes' `deployment/rolling.go`).
///
/// Kubernetes counts what the replica sets ask for. Here a set that was just asked for fewer pods still counts those it
/// has, so that there are never more pods than the surge allows, not even for a moment; and of its available pods only
/// those count that will stay, so that deciding twice before a status is written takes away no more than once.
pub(super) fn rolling(rollout: &mut Rollout<'_>) {
    scale_new_up(rollout);
    remove_unhealthy(rollout);
    scale_old_down(rollout);
}

/// Recreate: the first new pod is made when the last old one is gone. Returns whether that is so.
pub(super) fn all_old_are_gone(rollout: &mut Rollout<'_>) -> bool {
    let gone = rollout.old.iter().all(Set::is_empty);
    rollout.old.iter_mut().filter(|set| set.replicas() > 0).for_each(|set| set.scale(0));
    gone
}

fn scale_new_up(rollout: &mut Rollout<'_>) {
    let desired = rollout.desired();
    let most = desired.saturating_add(rollout.max_surge());
    let existing: i32 = rollout.sets().map(Set::existing).sum();
    let Some(new) = &mut rollout.new else { return };
    let replicas = new.replicas();
    if replicas > desired {
        new.scale(desired);
    } else {
        // Pods of its own that are on their way out make room only once they are gone.
        let room = (most - existing).max(0);
        new.scale(replicas + room.min(desired - replicas));
    }
}

/// Old pods that are not available go first: nobody misses them.
fn remove_unhealthy(rollout: &mut Rollout<'_>) {
    let mut left = removable(rollout);
    for set in &mut rollout.old {
        let unhealthy = (set.replicas() - set.available()).min(left).max(0);
        set.scale(set.replicas() - unhealthy);
        left -= unhealthy;
    }
}

fn scale_old_down(rollout: &mut Rollout<'_>) {
    if removable(rollout) <= 0 {
        return;
    }
    let available: i32 = rollout.sets().map(Set::available).sum();
    let mut left = available - rollout.min_available();
    for set in &mut rollout.old {
        let fewer = set.replicas().min(left).max(0);
        set.scale(set.replicas() - fewer);
        left -= fewer;
    }
}

/// How many old pods may go, if every new one that is not available yet never will be.
fn removable(rollout: &Rollout<'_>) -> i32 {
    let unavailable_new = rollout.new.as_ref().map_or(0, |new| new.replicas() - new.available());
    rollout.asked_for() - rollout.min_available() - unavailable_new
}
