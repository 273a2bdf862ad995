//! A Kubernetes-like system in one process: see `k8s-like --help`.
#![forbid(unsafe_code)]

mod apply;
mod manifest;

fn main() {}
