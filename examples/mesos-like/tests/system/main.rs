//! The whole system: real masters, agents and tasks as processes, killed and started again under the feet of frameworks.

mod agents;
mod asleep;
mod bad_input;
mod cluster;
mod faults;
mod framework;
mod life;
mod many;
mod masters;
mod operations;
mod operators;
mod optimistic;
mod relay;
