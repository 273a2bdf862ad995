//! Chronos on a real master and agents: jobs are real processes, and Chronos itself is killed under them.

#[path = "../system/ask.rs"]
mod ask;
mod bad_input;
mod client;
#[path = "../system/cluster.rs"]
#[expect(dead_code, reason = "the tests of the system use the rest")]
mod cluster;
mod dependencies;
mod failover;
mod jobs;
mod schedules;
