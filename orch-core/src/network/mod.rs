//! Addresses of a cluster's network.

mod cidr;

pub use cidr::{Cidr, CidrError};
