//! Marathon: long-running services as a framework, driven by the REST API that its clients know.

pub mod launch;
pub mod model;
