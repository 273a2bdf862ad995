//! The nouns and the five contracts from which orchestrators are composed.
//!
//! This crate holds what every part of an orchestrator must agree on and nothing else: the
//! [objects](object) people write and read, and one trait per role with a written promise. It does no I/O, starts
//! nothing, and knows no backend.
#![forbid(unsafe_code)]

pub mod clock;
pub mod encoding;
pub mod entropy;
pub mod key;
pub mod kind;
pub mod object;
pub mod revision;
pub mod validation;
