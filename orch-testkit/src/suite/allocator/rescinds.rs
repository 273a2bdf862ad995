//! A7: rescinded once.

use orch_core::allocator::{Allocator, AllocatorChange, AllocatorError, Filters, Framework, NodeName, Unavailability};
use orch_core::clock::Timestamp;

use super::market::{Market, resources, role};

/// Every way in which an offer can end ends it once, and nobody can accept it then.
pub async fn an_offer_ends_once<A: Allocator>(new: impl Fn() -> A) {
    let node = || NodeName::new("node");
    let when = Unavailability { from: Timestamp::UNIX_EPOCH, duration: None };
    for change in [
        AllocatorChange::NodeRemoved(node()),
        AllocatorChange::NodeActive(node(), false),
        AllocatorChange::NodeUnavailable(node(), Some(when)),
        AllocatorChange::FrameworkActive("web".into(), false),
        AllocatorChange::FrameworkRemoved("web".into()),
        AllocatorChange::FrameworkPut(Framework::new("web", [role("b")])),
    ] {
        let mut market = Market::new(new()).node("node", "cpus:4;mem:400").framework("web", "a");
        let offer = market.offer_to("web");
        // The market checks that what is rescinded was outstanding.
        let rescinded = market.tell(change.clone());
        assert_eq!(rescinded.len(), 1, "{change:?} ends the offer");
        let accepted = market.allocator.accept(&[offer.id], Default::default());
        assert_eq!(accepted, Err(AllocatorError::UnknownOffer(offer.id)), "it has ended by {change:?}");
        assert_eq!(market.allocator.counts().rescinded, 1);
        if let AllocatorChange::NodeUnavailable(..) = change {
            assert_eq!(market.offer_to("web").unavailability, Some(when), "it is offered again, with that in it");
        } else if let AllocatorChange::FrameworkPut(_) = change {
            assert_eq!(market.offer_to("web").role, role("b"));
        } else {
            market = market.framework("other", "a");
            let left =
                usize::from(!matches!(change, AllocatorChange::NodeRemoved(_) | AllocatorChange::NodeActive(..)));
            assert_eq!(market.offered("other").len(), left, "what it held is free after {change:?}");
        }
    }
}

/// An answered offer cannot be answered again.
pub async fn offers_of_the_time_before_are_unknown<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400").framework("web", "*");
    let mut old = Vec::new();
    for round in 0..4 {
        let offer = market.offer_to("web");
        if round % 2 == 0 {
            market.decline(&offer, 0.0);
        } else {
            market.accept(&offer, &resources("cpus:1"), 0.0).expect("it was offered");
        }
        old.push(offer.id);
        for id in &old {
            let unknown = Err(AllocatorError::UnknownOffer(*id));
            assert_eq!(market.allocator.decline(*id, Filters::NONE), unknown, "it was answered");
            assert_eq!(market.allocator.accept(&[*id], Default::default()), unknown, "it was answered");
        }
    }
}
