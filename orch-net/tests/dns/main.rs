//! `DnsServer` on real sockets.

mod answers;
mod client;
mod cluster;
mod forwarding;
mod latency;
mod transports;
