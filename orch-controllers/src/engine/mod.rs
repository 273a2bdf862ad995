//! x
mod queue;
