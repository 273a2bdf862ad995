//! Models: implementations so plain that they are obviously right. Others are compared with them.

mod store;

pub use store::{Change, ModelStore};
