//! The other side of the scheduler API: what a framework needs to run its tasks on a master, this one or Mesos.

mod connection;
pub mod driver;
mod instances;
mod link;
mod place;
mod records;
pub mod service;
mod take;
mod task;

pub use connection::{Connection, ConnectionError};
pub use instances::{Instances, Progress};
pub use link::Link;
pub use place::{Placement, place};
pub use records::{Changes, Records, RecordsError};
pub use take::{in_thousandths, reserved_for, scalar, take};
pub use task::{acknowledge, amounts, command};

#[cfg(test)]
mod tests {
    #[test]
    fn the_guide_shows_the_example_as_it_is_and_it_has_under_60_lines() {
        let (guide, example) =
            (include_str!("../../../../docs/guides/framework.md"), include_str!("../../examples/framework.rs"));
        assert!(example.lines().count() < 60);
        let program = &example[example.find("use mesos_like").unwrap()..];
        assert!(guide.contains(program), "docs/guides/framework.md shows another program than examples/framework.rs");
    }
}
