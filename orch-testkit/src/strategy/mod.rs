//! Strategies: what generated tests are made of.

pub mod cluster;
pub mod field;
pub mod object;
