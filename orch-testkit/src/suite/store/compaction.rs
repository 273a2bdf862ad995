//! C1 to C3: compaction.

use orch_core::revision::Revision;
use orch_core::store::{Compact, Continue, ListFrom, ListOptions, StoreError};

use super::steps::{
    Change, SOON, change, changes_until, create, delete, lease_key, leases, leases_in, list, list_latest, next_change,
    next_event, next_item, row, watch, write_elsewhere,
};

/// After a compaction no listing and no watch before it is served, and every one since is, as before.
pub async fn what_was_compacted_is_refused_and_the_rest_served_as_before(store: impl Compact) {
    let mut entry = create(&store, &lease_key("a", "one"), "0").await;
    let mut states = vec![list_latest(&store, &leases()).await];
    for turn in 1..6 {
        entry = change(&store, &entry, &turn.to_string()).await;
        states.push(list_latest(&store, &leases()).await);
    }
    let kept = states[3].1;
    compact(&store, kept).await;
    for (state, revision) in &states {
        let listed = list(&store, &leases(), ListFrom::At(*revision), None).await;
        if *revision >= kept {
            assert_eq!(listed.expect("C1: it is kept").0, *state, "C1: the state at {revision}");
            let mut watch = watch(&store, &leases(), *revision).await;
            let expected = states.iter().filter(|(_, later)| later > revision).count();
            if expected > 0 {
                let told = changes_until(&mut watch, entry.revision).await;
                assert_eq!(told.len(), expected, "C1: the changes after {revision}, after a compaction at {kept}");
            }
        } else {
            assert_compacted(listed.map(drop), *revision);
        }
    }
    for (_, revision) in &states[..2] {
        let refused = match store.watch(&leases(), *revision).await {
            Err(error) => Err(error),
            Ok(mut watch) => {
                next_item(&mut watch).await.unwrap_or_else(|| panic!("E7: ended without a word")).map(drop)
            }
        };
        assert_compacted(refused, *revision);
    }
}

/// A listing whose revision is compacted between two pages is refused, not continued at another revision.
pub async fn a_listing_that_is_overtaken_by_compaction_is_refused(store: impl Compact) {
    let first = create(&store, &lease_key("a", "one"), "1").await;
    create(&store, &lease_key("a", "two"), "1").await;
    let limit = std::num::NonZeroUsize::new(1);
    let page = store.list(&leases(), ListOptions { limit, from: ListFrom::Latest }).await.expect("a listing");
    let next: Continue = page.next.expect("there is a second lease");
    let changed = change(&store, &first, "2").await;
    compact(&store, changed.revision).await;
    let goes_on = store.list(&leases(), ListOptions { limit, from: ListFrom::Continue(next) }).await;
    assert_compacted(goes_on.map(drop), page.revision);
}

/// A refusal tells the oldest revision that can be asked for.
pub async fn a_refusal_tells_the_oldest_revision_that_is_kept(store: impl Compact) {
    let first = create(&store, &lease_key("a", "one"), "1").await;
    let second = change(&store, &first, "2").await;
    let third = change(&store, &second, "3").await;
    compact(&store, third.revision).await;
    match list(&store, &leases(), ListFrom::At(first.revision), None).await {
        Err(StoreError::Compacted { oldest, .. }) => {
            let (rows, _) = list(&store, &leases(), ListFrom::At(oldest), None).await.expect("the oldest that is kept");
            assert_eq!(rows, [row(&third)], "C1: the state at the oldest revision that is kept");
        }
        other => panic!("C1: a listing at a compacted revision gave {other:?}"),
    }
}

/// No object is lost by compaction, and none comes back.
pub async fn compaction_neither_loses_nor_revives_an_object(store: impl Compact) {
    let mut entries = Vec::new();
    for number in 0..10 {
        entries.push(create(&store, &lease_key("a", &format!("n{number}")), "1").await);
    }
    delete(&store, &entries[3]).await;
    entries[5] = change(&store, &entries[5], "2").await;
    delete(&store, &entries[7]).await;
    create(&store, &entries[7].key, "again").await;
    let before = list_latest(&store, &leases()).await;
    compact(&store, before.1).await;
    assert_eq!(list_latest(&store, &leases()).await.0, before.0, "C2: the latest state");
    for entry in &entries {
        let there = store.get(&entry.key).await.expect("a read");
        let expected = before.0.iter().find(|(key, ..)| *key == entry.key);
        assert_eq!(there.as_ref().map(row).as_ref(), expected, "C2: {}", entry.key);
    }
    create(&store, &entries[3].key, "again").await;
    change(&store, &entries[5], "3").await;
}

/// A watch that has nothing from before the compaction to deliver goes on undisturbed, however quiet its prefix is.
pub async fn a_watch_that_has_caught_up_is_undisturbed_by_compaction(store: impl Compact) {
    let quiet = create(&store, &lease_key("quiet", "one"), "1").await;
    let mut quietly = watch(&store, &leases_in("quiet"), quiet.revision).await;
    let mut busily = watch(&store, &leases_in("busy"), quiet.revision).await;
    let mut entry = create(&store, &lease_key("busy", "one"), "0").await;
    for turn in 1..20 {
        entry = change(&store, &entry, &turn.to_string()).await;
    }
    changes_until(&mut busily, entry.revision).await;
    compact(&store, entry.revision).await;
    let next = change(&store, &entry, "next").await;
    assert_eq!(next_change(&mut busily).await.revision, next.revision, "C3: a watch that had read everything");
    let next = change(&store, &quiet, "next").await;
    assert_eq!(next_change(&mut quietly).await.revision, next.revision, "C3: a watch that had nothing to read");
}

/// A watch that was behind when the history was compacted delivers all of it, or ends saying that it cannot.
pub async fn a_watch_overtaken_by_compaction_says_so(store: impl Compact) {
    const WRITES: usize = 1_000;
    let mut entry = create(&store, &lease_key("a", "one"), "0").await;
    let mut behind = watch(&store, &leases(), entry.revision).await;
    let mut written = Vec::new();
    for turn in 1..=WRITES {
        entry = change(&store, &entry, &turn.to_string()).await;
        written.push(entry.revision);
    }
    let mut told = vec![next_change(&mut behind).await.revision];
    compact(&store, entry.revision).await;
    while told.last() != Some(&entry.revision) {
        match next_item(&mut behind).await {
            Some(Ok(event)) => told.extend(Change::of(&event).map(|change| change.revision)),
            Some(Err(StoreError::Compacted { .. })) => break,
            other => panic!("C3: a watch that was overtaken went on with {other:?}"),
        }
    }
    assert_eq!(told, written[..told.len()], "C3: a watch that was overtaken left something out");
    if told.len() < WRITES {
        assert!(next_item(&mut behind).await.is_none(), "E7: the error must be the last item");
    }
}

/// A revision that does not exist yet cannot be compacted; one that was is compacted again without harm.
pub async fn compaction_at_an_impossible_revision_does_nothing(store: impl Compact) {
    let first = create(&store, &lease_key("a", "one"), "1").await;
    let second = change(&store, &first, "2").await;
    let far = Revision(second.revision.0 + 1_000_000);
    let refused = store.compact(far).await;
    assert!(matches!(refused, Err(StoreError::FutureRevision { .. })), "compacting at {far} gave {refused:?}");
    list(&store, &leases(), ListFrom::At(first.revision), None).await.expect("a refused compaction forgot something");
    for revision in [second.revision, second.revision, first.revision, Revision::ZERO] {
        compact(&store, revision).await;
    }
    let (rows, _) = list(&store, &leases(), ListFrom::At(second.revision), None).await.expect("it is kept");
    assert_eq!(rows, [row(&second)], "C1: compacting at an earlier revision does nothing");
    assert_compacted(list(&store, &leases(), ListFrom::At(first.revision), None).await.map(drop), first.revision);
}

/// Progress marks keep a watch of a quiet prefix able to resume after the history was compacted.
pub async fn a_progress_mark_is_a_place_to_resume_after(store: impl Compact) {
    let quiet = create(&store, &lease_key("quiet", "one"), "1").await;
    let mut quietly = watch(&store, &leases_in("quiet"), quiet.revision).await;
    let elsewhere = write_elsewhere(&store, "elsewhere").await.revision;
    let mark = async {
        loop {
            let mark = next_event(&mut quietly).await.revision();
            if mark >= elsewhere {
                return mark;
            }
        }
    };
    let mark = tokio::time::timeout(SOON, mark).await.expect("E6: no progress mark came");
    drop(quietly);
    compact(&store, mark).await;
    let mut resumed = watch(&store, &leases_in("quiet"), mark).await;
    let next = change(&store, &quiet, "2").await;
    assert_eq!(next_change(&mut resumed).await.revision, next.revision, "E6, C1: resumed after a progress mark");
}

async fn compact(store: &impl Compact, revision: Revision) {
    let done = store.compact(revision).await;
    done.unwrap_or_else(|error| panic!("compacting at {revision}, which exists, failed: {error}"));
}

fn assert_compacted(result: Result<(), StoreError>, revision: Revision) {
    match result {
        Err(StoreError::Compacted { requested, oldest }) => {
            assert!(requested < oldest, "a refusal says that {requested} is kept, the oldest being {oldest}");
        }
        other => panic!("C1: what asks for revision {revision}, which was compacted, gave {other:?}"),
    }
}
