//! Tasks run by the built-in executor, for real: as processes, and as containers from images.
#![cfg(target_os = "linux")]

mod fakes;
mod images;
mod many;
mod place;
mod processes;
mod users;
