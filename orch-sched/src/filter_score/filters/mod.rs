//! The rules that every scheduler starts with, in the order in which they are checked.

mod cordon;
mod host_ports;
mod node_resources;
mod node_selection;
mod readiness;
mod taint_toleration;

pub use cordon::Cordon;
pub use host_ports::HostPorts;
pub use node_resources::NodeResources;
pub use node_selection::NodeSelection;
pub use readiness::Readiness;
pub use taint_toleration::TaintToleration;
