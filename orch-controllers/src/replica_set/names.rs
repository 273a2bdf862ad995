//! The names of a replica set's pods.

use std::collections::BTreeSet;

use orch_core::object::{ReplicaSet, Uid};

use crate::name_hash::{hash, join, letters};

/// The names of the lowest slots that no pod has, whoever's pod it is. A slot is free again once its pod is gone, not
/// already while that pod is being deleted.
pub(super) fn free<'a>(
    replica_set: &ReplicaSet,
    taken: impl IntoIterator<Item = &'a str>,
    count: usize,
) -> Vec<String> {
    let mut taken: BTreeSet<String> = taken.into_iter().map(str::to_owned).collect();
    let no_uid = Uid::default();
    let uid = replica_set.metadata.uid.as_ref().unwrap_or(&no_uid);
    let slots = (0_u64..).map(|slot| name(&replica_set.metadata.name, uid, slot));
    slots.filter(|name| taken.insert(name.clone())).take(count).collect()
}

fn name(base: &str, uid: &Uid, slot: u64) -> String {
    let number = hash(&[uid.as_str().as_bytes(), slot.to_string().as_bytes()]);
    join(base, &letters(number, 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_slots_come_first_and_stay_the_same() {
        let mut set = ReplicaSet::default();
        set.metadata.name = "web".to_owned();
        set.metadata.uid = Some(Uid::new("one"));
        let three = free(&set, [], 3);
        assert_eq!(free(&set, [three[1].as_str()], 2), [three[0].clone(), three[2].clone()]);
        assert_eq!(free(&set, [], 20_000).iter().collect::<BTreeSet<_>>().len(), 20_000);
        set.metadata.uid = Some(Uid::new("two"));
        assert_ne!(free(&set, [], 3), three);
    }
}
