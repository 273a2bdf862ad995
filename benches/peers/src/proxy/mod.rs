//! Service proxies of the kernel: what a change of the table costs them, and what they cost a connection.

mod comparison;
mod floor;
mod growth;
mod kube;
mod node;
mod options;
mod packets;
mod restored;
mod shape;
mod subject;

use crate::row::Row;
use crate::runtime::done;
use comparison::Comparison;
use growth::Growth;
use options::Options;
use shape::Shape;

/// How large the tables are to be.
///
/// # Errors
/// What is wrong with an argument, in a sentence.
pub fn options() -> Result<Options, String> {
    Options::of(std::env::args().skip(1))
}

/// Whether an argument is one of [`options`].
pub fn has_option(argument: &str) -> bool {
    Options::has(argument)
}

/// Measures all of it, and prints tables.
pub fn run() {
    let options = options().expect("they were looked at before");
    let version = |program| node::run(program, &["--version"], "");
    println!("\nService proxies. {}. {}.", version("iptables-restore"), version("nft"));
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut growth = Growth::default();
    let shapes = options.endpoints.iter().flat_map(|endpoints| {
        options.services.iter().map(|services| Shape { services: *services, endpoints: *endpoints })
    });
    let limit = options.limit;
    Row::print_table(shapes.map(|shape| Comparison { shape, limit, executor: &executor }.rows(&mut growth)));
    growth.print();
}
