//! Pulling from a registry, as the distribution specification of OCI has it.

mod auth;
mod http;
mod pull;
mod session;

pub(super) use self::pull::pull;
