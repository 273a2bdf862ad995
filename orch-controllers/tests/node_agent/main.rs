//! The node agent: every fault at every point, whole lives of pods, and restarts of the agent.

mod clock;
mod cluster;
mod containers;
mod faults;
mod lives;
mod objects;
mod pressure;
mod restarts;
mod stale;
mod watched_runtime;
