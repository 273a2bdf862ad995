//! The order in which roles and frameworks are served: hierarchical weighted dominant-resource fairness (Ghodsi and
//! others: "Dominant Resource Fairness", NSDI 2011; Bhattacharya and others: "Hierarchical Scheduling for Diverse
//! Datacenter Workloads", SoCC 2013, in the simpler form that Mesos has).

mod ranking;
mod roles;

pub(crate) use ranking::{Ranking, Totals};
pub(crate) use roles::Roles;
