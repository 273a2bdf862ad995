//! A11: harmless when refused.

use std::collections::BTreeSet;

use orch_core::allocator::{
    Acceptance, Allocator, AllocatorChange, AllocatorError, Conversion, Filters, NodeName, OfferId, Usage,
};

use super::market::{Market, resources, role};

/// What is impossible is an error, and changes nothing.
pub async fn what_is_impossible_is_an_error_and_changes_nothing<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400").framework("web", "*").framework("db", "*");
    market = market.node("other", "cpus:4;mem:400");
    market.allocate();
    let nobody = || "nobody".into();
    let nowhere = || NodeName::new("nowhere");
    let usage = |framework: &str, node: &str, text: &str| Usage {
        framework: framework.into(),
        role: role("*"),
        node: node.into(),
        resources: resources(text),
    };
    let before = (market.allocator.standings(), market.allocator.counts(), market.why("web"));
    for change in [
        AllocatorChange::NodeRemoved(nowhere()),
        AllocatorChange::NodeActive(nowhere(), true),
        AllocatorChange::NodeUnavailable(nowhere(), None),
        AllocatorChange::FrameworkActive(nobody(), true),
        AllocatorChange::FrameworkRemoved(nobody()),
        AllocatorChange::Suppressed(nobody(), BTreeSet::new()),
        AllocatorChange::Suppressed("web".into(), [role("*"), role("x")].into()),
        AllocatorChange::Revived("web".into(), [role("x")].into()),
        AllocatorChange::Weight(role("*"), 0.0),
        AllocatorChange::Weight(role("*"), -1.0),
        AllocatorChange::Weight(role("*"), f64::NAN),
        AllocatorChange::Weight(role("*"), f64::INFINITY),
        AllocatorChange::Adopted(usage("web", "nowhere", "cpus:1")),
        AllocatorChange::Recovered(usage("nobody", "node", "cpus:1"), Filters::NONE),
        AllocatorChange::Recovered(usage("web", "nowhere", "cpus:1"), Filters::NONE),
        AllocatorChange::Recovered(usage("web", "node", "cpus:1"), Filters::NONE),
        AllocatorChange::Converted(nowhere(), Conversion::default()),
    ] {
        let refused = market.try_tell(change.clone());
        assert!(refused.is_err(), "{change:?} cannot be");
        let after = (market.allocator.standings(), market.allocator.counts(), market.why("web"));
        assert_eq!(after, before, "{change:?} was refused");
    }
    let unknown = OfferId(u64::MAX);
    let known = *market.offers.keys().next().expect("there are offers");
    let accepted = market.allocator.accept(&[known, unknown], Acceptance::default());
    assert_eq!(accepted, Err(AllocatorError::UnknownOffer(unknown)));
    assert_eq!(market.allocator.accept(&[], Acceptance::default()), Err(AllocatorError::NoOffers));
    assert!(market.allocator.why_no_offer(&nobody()).is_err(), "there is no such framework");
    let mine = market.offers.values().find(|offer| offer.node.as_str() == "node").map(|offer| offer.id);
    let others = market.offers.values().find(|offer| offer.node.as_str() == "other").map(|offer| offer.id);
    let both = [mine.expect("node is offered"), others.expect("other is offered")];
    let differ = market.allocator.accept(&both, Acceptance::default());
    assert!(matches!(differ, Err(AllocatorError::OffersDiffer { .. })), "{differ:?}");
    let after = (market.allocator.standings(), market.allocator.counts(), market.why("web"));
    assert_eq!(after, before);
}

/// Who accepts more than was offered loses the offer, and its resources are offered again.
pub async fn who_accepts_too_much_loses_the_offer_and_nothing_else<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400").framework("web", "*");
    for used in ["cpus:5", "cpus:1;disk:1", "cpus:1;ports:[1-1]", "cpus(db):1"] {
        let offer = market.offer_to("web");
        let refused = market.accept(&offer, &resources(used), 60.0);
        assert!(matches!(refused, Err(AllocatorError::Insufficient { .. })), "{used} was not offered: {refused:?}");
    }
    let offer = market.offer_to("web");
    let bad = Conversion { from: resources("cpus:1"), to: resources("cpus(*):2") };
    let acceptance = Acceptance { conversions: vec![bad], used: resources("cpus:1"), filters: Filters::NONE };
    let refused = market.accept_all(&offer, acceptance);
    assert!(matches!(refused, Err(AllocatorError::NotConserved { .. })), "{refused:?}");
    let offer = market.offer_to("web");
    assert_eq!(offer.resources.to_string(), "cpus:4;mem:400", "nothing is lost");
    market.accept(&offer, &resources("cpus:4;mem:400"), 0.0).expect("it was offered");
}
