//! L1 to L6: claims.
//!
//! Times are real, and a busy machine may sleep for longer than asked: what is said of a claim that lives is only held
//! against the store when its time to live had not passed when the answer came.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use orch_core::key::Key;
use orch_core::revision::Revision;
use orch_core::store::{Claim, Claimed, ENDS_WITHIN, Entry, Expect, StoreError, Watch};
use tokio::time::{Instant, sleep, timeout};

use super::steps::{
    Change, change, conflict, create, delete, get, held_by, in_parallel, lease_key, leases, list_latest, next_change,
    row, watch,
};

/// As short as every store can make it: one that counts in seconds grants more.
const SHORT: Duration = Duration::from_millis(500);
/// Longer than any clause takes.
const LONG: Duration = Duration::from_secs(600);

/// A key can be claimed when nothing is there, and is refused with the revision of what is there otherwise.
pub async fn only_what_is_free_can_be_claimed(store: impl Claim) {
    let taken = create(&store, &lease_key("a", "taken"), "somebody").await;
    let refused = store.claim(&taken.key, held_by(&taken.key, "me"), LONG).await;
    assert_eq!(conflict(refused, &taken.key), Some(taken.revision), "L1: the conflict tells");
    assert_eq!(get(&store, &taken.key).await.as_ref().map(row), Some(row(&taken)), "L1: a refused claim wrote");
    let key = lease_key("a", "free");
    let first = claim(&store, &key, "me", LONG).await;
    let again = store.claim(&key, held_by(&key, "you"), LONG).await;
    assert_eq!(conflict(again, &key), Some(first.entry.revision), "L1: the conflict tells");
    store.renew(&first).await.expect("L1: a refused claim ended the one before it");
}

/// Of several claimants at the same time exactly one succeeds.
pub async fn of_several_claimants_one_succeeds(store: impl Claim) {
    let store = Arc::new(store);
    for turn in 0..5 {
        let key = lease_key("a", &format!("office-{turn}"));
        let claims = in_parallel(4, |number| {
            let (store, key) = (Arc::clone(&store), key.clone());
            async move { store.claim(&key, held_by(&key, &number.to_string()), LONG).await }
        });
        let claims = claims.await;
        let holders = claims.iter().filter(|claim| claim.is_ok()).count();
        assert_eq!(holders, 1, "L1: {holders} claimants hold {key}: {claims:?}");
    }
}

/// The claimed object is one like any other: reads, listings and watches show it, and it is written as others are.
pub async fn a_claimed_object_is_one_like_any_other(store: impl Claim) {
    let (_, start) = list_latest(&store, &leases()).await;
    let mut watch = watch(&store, &leases(), start).await;
    let claimed = claim(&store, &lease_key("a", "office"), "me", LONG).await;
    let entry = claimed.entry.clone();
    assert!(entry.revision > start && entry.created == entry.revision, "W1: claimed at {}", entry.revision);
    assert_eq!(get(&store, &entry.key).await.as_ref().map(row), Some(row(&entry)), "L1: the object");
    assert_eq!(list_latest(&store, &leases()).await.0, [row(&entry)], "L1: a listing");
    let told = next_change(&mut watch).await;
    assert_eq!((told.revision, told.created), (entry.revision, Some(entry.revision)), "L1: a watch");
    let refused = store.put(&entry.key, held_by(&entry.key, "you"), Expect::Absent).await;
    assert_eq!(conflict(refused, &entry.key), Some(entry.revision), "W2: a creation over a claim");
    let refused = store.delete(&entry.key, Revision(entry.revision.0 + 1)).await;
    assert_eq!(conflict(refused, &entry.key), Some(entry.revision), "W2: a deletion of another revision");
}

/// No claim ends before its time to live has passed since it was claimed or last renewed.
pub async fn a_claim_lives_as_long_as_it_is_renewed_in_time(store: impl Claim) {
    let key = lease_key("a", "office");
    let mut began = Instant::now();
    let claimed = claim(&store, &key, "me", SHORT).await;
    assert!(claimed.ttl >= SHORT, "L2: {:?} were granted, asked for {SHORT:?}", claimed.ttl);
    for turn in 0..4 {
        sleep(claimed.ttl * 2 / 3).await;
        let there = get(&store, &key).await;
        let in_time = began.elapsed() < claimed.ttl;
        assert!(there.is_some() || !in_time, "L2: the claim ended before its time, after {turn} renewals");
        let renewal = Instant::now();
        let renewed = store.renew(&claimed).await;
        if began.elapsed() >= claimed.ttl {
            // The machine slept for too long. Nothing can be said any more.
            return;
        }
        renewed.unwrap_or_else(|error| panic!("L2: renewing a claim in time failed: {error}"));
        began = renewal;
    }
}

/// A claim that is not renewed ends in time, by a deletion that watches tell.
pub async fn a_claim_that_is_not_renewed_ends(store: impl Claim) {
    let claimed = claim(&store, &lease_key("a", "office"), "me", SHORT).await;
    let kept = claim(&store, &lease_key("a", "kept"), "me", LONG).await;
    let mut watch = watch(&store, &leases(), kept.entry.revision).await;
    let told = next_change_within(&mut watch, end_of(&claimed)).await;
    assert_eq!(
        (&told.key, &told.holder),
        (&claimed.entry.key, &None),
        "L3: a claim ends by a deletion, not by {told:?}"
    );
    assert_eq!(told.previous, Some(row(&claimed.entry)), "E8: what was deleted");
    assert!(told.revision > kept.entry.revision, "W1: deleted at {}", told.revision);
    assert!(get(&store, &claimed.entry.key).await.is_none(), "L3: the object is still there");
    assert_eq!(list_latest(&store, &leases()).await.0, [row(&kept.entry)], "L3: another claim ended with it");
    create(&store, &claimed.entry.key, "you").await;
}

/// A claim that ended by itself can be neither renewed nor released, and whoever comes next is not disturbed.
pub async fn a_claim_that_ran_out_is_lost(store: impl Claim) {
    let key = lease_key("a", "office");
    let lost = claim(&store, &key, "me", SHORT).await;
    let limit = end_of(&lost);
    let gone = async {
        while get(&store, &key).await.is_some() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(limit, gone).await.unwrap_or_else(|_| panic!("L3: the claim did not end within {limit:?}"));
    assert_lost(&store, &lost).await;
    let next = claim(&store, &key, "you", LONG).await;
    assert_lost(&store, &lost).await;
    assert_eq!(get(&store, &key).await.as_ref().map(row), Some(row(&next.entry)), "L4: the next claim was disturbed");
}

/// A release deletes the object and ends the claim for ever.
pub async fn a_released_claim_is_lost(store: impl Claim) {
    let claimed = claim(&store, &lease_key("a", "office"), "me", LONG).await;
    let mut watch = watch(&store, &leases(), claimed.entry.revision).await;
    let released = store.release(&claimed).await.expect("a claim that has not ended is released");
    let told = next_change(&mut watch).await;
    assert_eq!((told.revision, told.holder), (released, None), "L4: a release is a deletion");
    assert!(get(&store, &claimed.entry.key).await.is_none(), "L4: the object is still there");
    assert_lost(&store, &claimed).await;
    let next = claim(&store, &claimed.entry.key, "you", LONG).await;
    assert_lost(&store, &claimed).await;
    store.renew(&next).await.expect("L4: the next claim was disturbed");
}

/// A claim whose object was deleted has ended, also when an object was put in its place.
pub async fn a_claim_whose_object_was_deleted_is_lost(store: impl Claim) {
    let claimed = claim(&store, &lease_key("a", "office"), "me", SHORT).await;
    delete(&store, &claimed.entry).await;
    assert_lost(&store, &claimed).await;
    let usurper = create(&store, &claimed.entry.key, "you").await;
    assert_lost(&store, &claimed).await;
    sleep(claimed.ttl + claimed.ttl / 2).await;
    let there = get(&store, &usurper.key).await;
    assert_eq!(there.as_ref().map(row), Some(row(&usurper)), "L4: the former claim's end took the next object with it");
}

/// The token of a claim is greater than that of every earlier claim of the key, and its check names the claimed object.
pub async fn tokens_grow(store: impl Claim) {
    let key = lease_key("a", "office");
    let mut before = Revision::ZERO;
    for turn in 0..4 {
        let claimed = claim(&store, &key, &turn.to_string(), LONG).await;
        assert!(claimed.token() > before, "L5: a token {} came after {before}", claimed.token());
        let check = claimed.check();
        let there = get(&store, &key).await.expect("it was claimed");
        assert_eq!((check.key, check.expect), (key.clone(), Expect::Revision(there.revision)), "L5: the check");
        before = claimed.token();
        match turn {
            0 => drop(store.release(&claimed).await.expect("a claim that has not ended is released")),
            _ => drop(delete(&store, &there).await),
        }
    }
}

/// A put at a claimed key keeps the claim: it can be renewed, and the new object ends with it.
pub async fn a_put_keeps_the_claim(store: impl Claim) {
    let began = Instant::now();
    let claimed = claim(&store, &lease_key("a", "office"), "me", SHORT).await;
    let mut changed: Entry = change(&store, &claimed.entry, "me, changed").await;
    let renewed = store.renew(&claimed).await;
    if began.elapsed() >= claimed.ttl {
        return;
    }
    renewed.expect("L6: a claim ended because its object was changed");
    // A second change after the renewal: the claim outlasts any number of them.
    if let Ok(entry) = store.put(&changed.key, held_by(&changed.key, "again"), Expect::Revision(changed.revision)).await
    {
        changed = entry;
    }
    let mut watch = watch(&store, &leases(), changed.revision).await;
    let told = next_change_within(&mut watch, end_of(&claimed)).await;
    assert_eq!((&told.key, &told.holder), (&changed.key, &None), "L6: the changed object did not end with its claim");
    assert_lost(&store, &claimed).await;
}

async fn claim(store: &impl Claim, key: &Key, holder: &str, ttl: Duration) -> Claimed {
    let claimed = store.claim(key, held_by(key, holder), ttl).await;
    claimed.unwrap_or_else(|error| panic!("claiming {key}, which does not exist, failed: {error}"))
}

/// By when a claim that is not renewed has ended, with one second more for the way to a store that is far away.
fn end_of(claimed: &Claimed) -> Duration {
    claimed.ttl + ENDS_WITHIN + Duration::from_secs(1)
}

/// That a claim has ended for ever.
async fn assert_lost(store: &impl Claim, claimed: &Claimed) {
    match store.renew(claimed).await {
        Err(StoreError::ClaimLost { key }) => assert_eq!(key, claimed.entry.key, "L4: which claim is lost"),
        other => panic!("L4: renewing a claim that has ended gave {other:?}"),
    }
    match store.release(claimed).await {
        Err(StoreError::ClaimLost { key }) => assert_eq!(key, claimed.entry.key, "L4: which claim is lost"),
        other => panic!("L4: releasing a claim that has ended gave {other:?}"),
    }
}

/// The next change that a watch tells, which may take as long as `limit`.
async fn next_change_within(watch: &mut Watch, limit: Duration) -> Change {
    let next = async {
        loop {
            match watch.next().await {
                Some(Ok(event)) => {
                    if let Some(change) = Change::of(&event) {
                        return change;
                    }
                }
                other => panic!("E7: a watch of what is claimed gave {other:?}"),
            }
        }
    };
    timeout(limit, next).await.unwrap_or_else(|_| panic!("L3: the claim did not end within {limit:?}"))
}
