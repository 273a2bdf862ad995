//! The network of pods: ranges of addresses, and [`PodRoutes`], by which pods of different hosts reach each other.

mod cidr;
mod host_table;
mod routes;
mod routes_error;

pub use cidr::{Cidr, CidrError};
pub use host_table::{Host, HostTable};
pub use routes::{PodRoutes, RoutesReport};
pub use routes_error::RoutesError;
