//! The node agent: every fault at every point, whole lives of pods, and restarts of the agent.

mod faults;
mod objects;
mod watched_runtime;
