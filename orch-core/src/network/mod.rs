//! The network of pods: ranges of addresses, names of devices, and [`PodRoutes`], by which pods of different hosts reach each other.

mod cidr;
mod device_name;
mod host_table;
mod routes;
mod routes_error;

pub use cidr::{Cidr, CidrError};
pub use device_name::{DeviceName, InvalidDeviceName};
pub use host_table::{Host, HostTable};
pub use routes::{PodRoutes, RoutesReport};
pub use routes_error::RoutesError;
