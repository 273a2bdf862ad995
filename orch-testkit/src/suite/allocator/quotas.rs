//! A5: quota.

use orch_core::allocator::{Allocator, AllocatorChange, AllocatorError, Quantities, Quota, Scalar};

use super::market::{Market, for_all, resources, role};
use crate::strategy::allocator::{beginning, steps};

fn cpus(amount: i64) -> Quantities {
    Quantities::from([("cpus".into(), Scalar::from_units(amount))])
}

fn quota(of: &str, guaranteed: Option<i64>, limit: Option<i64>) -> AllocatorChange {
    let quota =
        Quota { guarantees: guaranteed.map(cpus).unwrap_or_default(), limits: limit.map(cpus).unwrap_or_default() };
    AllocatorChange::Quota { role: role(of), quota, force: false }
}

/// A framework takes all that it gets, round after round. How many CPUs it has in the end.
fn take_all<A: Allocator>(market: &mut Market<A>, id: &str) -> Scalar {
    for _ in 0..6 {
        for offer in market.offered(id) {
            let all = offer.resources.clone();
            match market.accept(&offer, &all, 0.0) {
                Ok(()) | Err(AllocatorError::OverQuota { .. } | AllocatorError::Conflict { .. }) => {}
                Err(error) => panic!("{offer:?}: {error}"),
            }
        }
        market.decline_all(0.0);
    }
    let used = market.used.iter().filter(|usage| usage.framework.as_str() == id);
    used.map(|usage| usage.resources.scalar("cpus")).fold(Scalar::ZERO, Scalar::saturating_add)
}

/// No role has more than its limit, with all below it.
pub async fn no_role_exceeds_its_limit<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).framework("one", "a/x").framework("other", "a/y").framework("free", "b");
    for number in 0..4 {
        market = market.node(&format!("node-{number}"), "cpus:2;mem:100");
    }
    market = market.node("reserved", "cpus(a):1;mem:100");
    market.tell(quota("a", None, Some(4)));
    // What is reserved counts, used or not: 3 are left.
    let (one, other) = (take_all(&mut market, "one"), take_all(&mut market, "other"));
    assert_eq!(one.saturating_add(other), Scalar::from_units(4), "{one} and {other}; {}", market.why("one"));
    assert_eq!(take_all(&mut market, "free"), Scalar::from_units(5), "the others are not limited");
    for_all((beginning(), steps(0..40)), |(beginning, steps)| {
        let mut market = Market::new(new());
        market.tell(quota("a", None, Some(5)));
        for step in beginning.iter().chain(&steps) {
            // The market checks the limit at every offer and acceptance.
            market.perform(step);
            market.allocate();
        }
        Ok(())
    });
}

/// What a role is guaranteed is kept from others, and offered to it when it comes.
pub async fn what_is_guaranteed_is_kept<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).framework("greedy", "b");
    for number in 0..3 {
        market = market.node(&format!("node-{number}"), "cpus:2;mem:100");
    }
    market.tell(quota("a", Some(4), None));
    assert_eq!(take_all(&mut market, "greedy"), Scalar::from_units(2), "4 of 6 are kept");
    market.allocate();
    assert!(market.why("greedy").contains("kept free for what other roles are guaranteed"), "{}", market.why("greedy"));
    market = market.framework("sure", "a");
    assert_eq!(take_all(&mut market, "sure"), Scalar::from_units(4), "4 are guaranteed");
    let recovered = market.used.iter().find(|usage| usage.framework.as_str() == "greedy").cloned();
    let recovered = recovered.expect("it has used all that it could");
    market.tell(AllocatorChange::Recovered(recovered, orch_core::allocator::Filters::NONE));
    assert!(!take_all(&mut market, "greedy").is_zero(), "nothing is kept any more: all that was guaranteed is used");
}

/// A quota that cannot be kept is refused unless it is forced, and one that makes no sense is always.
pub async fn a_quota_that_cannot_be_kept_is_refused<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400").framework("web", "a");
    market.tell(quota("b", Some(2), None));
    let offer = market.offer_to("web");
    market.accept(&offer, &resources("cpus:2"), 0.0).expect("2 of 4 are guaranteed to others");
    for (change, forced) in [
        (quota("a", Some(3), None), true),
        (quota("a", None, Some(1)), true),
        (quota("a", Some(2), Some(1)), false),
        (quota("a/x", None, Some(9)), false),
    ] {
        let refused = market.try_tell(change.clone());
        let can_be_forced = match refused {
            Err(AllocatorError::BadQuota { can_be_forced, .. }) => can_be_forced,
            other => panic!("{change:?} cannot be: {other:?}"),
        };
        assert_eq!(can_be_forced, forced, "{change:?}");
        let AllocatorChange::Quota { role, quota, .. } = change else { continue };
        let accepted = market.allocator.observe(AllocatorChange::Quota { role: role.clone(), quota, force: true });
        assert_eq!(accepted.is_ok(), forced, "{role}: {accepted:?}");
    }
}
