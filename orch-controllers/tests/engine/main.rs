//! The engine's promises, on the model store under paused time.

mod actions;
mod cache;
mod changes;
mod faulty;
mod fenced_store;
mod isolation;
mod leader;
mod read_your_writes;
mod stopping;
mod subject;
