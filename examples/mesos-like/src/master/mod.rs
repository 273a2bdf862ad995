//! The master: takes in agents, offers what they have to frameworks, and passes on what these want to run.

pub mod about;
pub mod actor;
pub mod api;
pub mod begin;
pub mod core;
pub mod desk;
pub mod flags;
pub mod front;
pub mod leading;
pub mod metrics;
pub mod pages;
pub mod registry;
pub mod relay;
pub mod run;
pub mod subscribers;
pub mod view;
