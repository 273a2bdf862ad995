//! [`Quota`]: what a role is sure of, and what it never exceeds.

use super::Quantities;

/// What a role of the top, with all below it, is sure of, and what it never exceeds. What is reserved for it counts,
/// used or not, and what it uses or is offered beyond that, unless it is revocable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// What is kept free for it as far as it does not use it. Nothing, where nothing is said.
    pub guarantees: Quantities,
    /// What it is not offered more than. No limit, where nothing is said.
    pub limits: Quantities,
}

impl Quota {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.guarantees.values().all(|amount| amount.is_zero()) && self.limits.is_empty()
    }
}
