//! Models: implementations so plain that they are obviously right. Others are compared with them.

mod store;
mod view;

pub use store::{Change, ModelStore};
pub use view::ModelView;
