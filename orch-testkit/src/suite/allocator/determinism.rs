//! A10: deterministic.

use orch_core::allocator::Allocator;
use proptest::prop_assert_eq;

use super::market::{Market, for_all};
use crate::strategy::allocator::{beginning, steps};

/// Two allocators of the same settings that were told the same do the same.
pub async fn allocators_that_were_told_the_same_do_the_same<A: Allocator>(new: impl Fn() -> A) {
    for_all((beginning(), steps(0..30)), |(beginning, steps)| {
        let (mut one, mut other) = (Market::new(new()), Market::new(new()));
        for step in beginning.iter().chain(&steps) {
            one.perform(step);
            other.perform(step);
            prop_assert_eq!(one.allocate(), other.allocate(), "after {:?}", step);
            prop_assert_eq!(one.allocator.standings(), other.allocator.standings(), "after {:?}", step);
        }
        Ok(())
    });
}
