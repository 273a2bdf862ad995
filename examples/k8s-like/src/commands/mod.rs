//! What a person asks of a cluster that runs.

mod find;
mod get;
mod logs;
mod port_forward;
mod session;
mod terminal;
mod top;

pub(crate) use find::Where;
pub(crate) use get::{Format, get};
pub(crate) use logs::logs;
pub(crate) use port_forward::{Ports, port_forward};
pub(crate) use session::{attach, exec};
pub(crate) use top::top;
