//! The whole system: real processes, killed, edited and started again under its feet.

mod bad_input;
mod durable;
mod etcd;
mod harness;
mod life;
mod offers;
mod restart;
mod rollout;
mod static_pods;
