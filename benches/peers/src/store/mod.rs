//! Stores: writing, reading, telling watchers, and what it takes in memory.

mod disk;
mod etcd;
mod fan_out;
mod latency;
mod map;
mod peak;
mod reads;
mod subject;
mod writes;

pub use peak::{LOAD, load};

use crate::answer;
use crate::row::Row;

/// Measures all of it, and prints tables.
pub fn run() {
    println!("\nStores. {}. {}.", answer("etcd", &["--version"]), disk::described());
    Row::print_table(writes::rows().chain(reads::rows()).chain(fan_out::rows()));
    fan_out::print_latencies();
    peak::print();
}
