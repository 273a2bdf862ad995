//! The files of sandboxes and logs: others look at them, and in time they are removed.

mod answer;
mod gc;
mod tree;

pub use answer::mode_text;
pub use gc::{Collector, GcSetting, due, kept_for};
pub use tree::{FileInfo, Files, FilesError, Part};
