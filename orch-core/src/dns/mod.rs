//! Cluster DNS: the names of services and pods, as the Kubernetes DNS specification 1.1.0 has them.
//!
//! Who follows the cluster puts a [`NameTable`] on a [`NameBoard`]; name servers read it there, once per question.
//! Neither has to know the other, nor can one fail the other, so there is no contract between them.

mod board;
mod names;
mod shared_map;
mod table;
mod zone;

pub use board::NameBoard;
pub use names::{PortNames, ServiceNames, Target};
pub use table::{Found, NameTable, SCHEMA_VERSION};
pub use zone::{InvalidZone, Zone};
