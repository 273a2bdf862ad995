//! Whole clusters of several hosts: control planes and nodes are processes in networks of their own, which share an etcd.

mod away;
mod behind_back;
mod clients;
mod cluster;
mod containerd;
mod control_planes;
mod docker;
mod hosts;
mod losses;
mod manifests;
mod process;
mod refused;
mod requests;
mod secrets;
mod tunnel;
mod up;
