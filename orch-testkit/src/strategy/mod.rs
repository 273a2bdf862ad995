//! Strategies: what generated tests are made of.

pub mod object;
