//! What decides: which instances of which apps run, and what becomes of them.

mod backoff;
mod deployment;
mod instance;
mod rollout;
mod root;

pub use backoff::Delays;
pub use deployment::{Action, ActionKind, Aim, Change, Deployment, Step};
pub use instance::{Instance, Phase};
pub use root::{Circle, GroupInfo, Root};
