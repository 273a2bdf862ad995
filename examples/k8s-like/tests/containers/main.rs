//! The whole system with real containers: each test on a Docker daemon and on a containerd of its own, in a network of its
//! own. Needs root.

mod cluster;
mod faults;
mod many;
mod troubles;
mod web;
