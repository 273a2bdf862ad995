//! A Mesos-like system: see `mesos-like --help`.
#![forbid(unsafe_code)]

fn main() {}
