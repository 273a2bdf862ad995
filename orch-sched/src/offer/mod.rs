//! Two-level scheduling: an allocator divides the cluster into offers, and frameworks place tasks on what they are offered.

mod books;
mod drf;
mod optimistic;
mod options;
mod order;
mod scheduler;

pub use drf::DrfAllocator;
pub use optimistic::OptimisticAllocator;
pub use options::AllocatorOptions;
pub use scheduler::{OfferScheduler, OfferSchedulerBuilder};
