//! Marathon: long-running services as a framework, driven by the REST API that its clients know.

pub mod api;
pub mod core;
pub mod events;
pub mod flags;
pub mod launch;
pub mod model;
pub mod pages;
pub mod run;
