//! A Kubernetes-like system in one process.
#![forbid(unsafe_code)]

fn main() {}
