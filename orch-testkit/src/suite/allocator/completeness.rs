//! A8: complete.

use orch_core::allocator::{Allocator, Obstacle};
use proptest::{prop_assert, prop_assert_eq};

use super::market::{Market, for_all};
use crate::strategy::allocator::{beginning, steps};

/// Two rounds with nothing in between make no offers in the second.
pub async fn a_second_round_makes_no_offer<A: Allocator>(new: impl Fn() -> A) {
    for_all((beginning(), steps(0..40)), |(beginning, steps)| {
        let mut market = Market::new(new());
        for step in beginning.iter().chain(&steps) {
            market.perform(step);
            market.allocate();
            prop_assert_eq!(market.allocate(), [], "after {:?}", step);
        }
        Ok(())
    });
}

/// Whatever is free and may be had by somebody is offered to somebody.
pub async fn what_is_free_and_wanted_is_offered<A: Allocator>(new: impl Fn() -> A) {
    for_all((beginning(), steps(0..40)), |(beginning, steps)| {
        let mut market = Market::new(new());
        for step in beginning.iter().chain(&steps) {
            market.perform(step);
            market.allocate();
            for id in market.frameworks.keys() {
                let why = market.allocator.why_no_offer(id).expect("it is known");
                let due = why.roles.iter().flat_map(|role| &role.obstacles).any(|(why, _)| *why == Obstacle::Due);
                prop_assert!(!due, "after {:?} and a round, nothing is due: {}", step, why);
            }
        }
        Ok(())
    });
}
