//! Whole clusters of several hosts: control planes and nodes are processes in networks of their own, which share an etcd.

mod away;
mod containerd;
mod control_planes;
mod hosts;
mod process;
mod refused;
mod secrets;
mod up;
