//! Marathon on a real master and agents: instances are real processes, and all that they depend on is killed under them.

#[path = "../system/ask.rs"]
mod ask;
mod bad_input;
mod client;
#[path = "../system/cluster.rs"]
#[expect(dead_code, reason = "the tests of the system use the rest")]
mod cluster;
mod failing;
mod faults;
mod groups;
mod many;
mod placing;
mod ports;
mod rollout;
mod turmoil;
mod unreachable;
mod volumes;
