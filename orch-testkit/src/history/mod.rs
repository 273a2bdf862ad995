//! Is a store linearizable? Record what its clients do and see, and let [`check`] find out.
//!
//! - A [`Recorder`] gives each client a [`RecordingStore`], which passes everything on and writes it down: a
//!   [`History`] of [`Operation`]s and watches, with who, when, and what came of it — or that nobody knows what did.
//! - [`check`] holds a history against the promises of [`Store`](orch_core::store::Store),
//!   [`Transact`](orch_core::store::Transact) and [`Compact`](orch_core::store::Compact), and explains a
//!   [`Violation`].
//! - A [`Workload`](workload::Workload) is many clients that do anything at the same time, by a seed;
//!   a [`DistantStore`] lets their requests overtake one another.
//!
//! The conformance suites ask for one promise at a time and know what the answer must be. A history has no script:
//! clients may do anything, at the same time, while the store is killed, paused or cut off.

mod check;
mod distant_store;
mod fingerprint;
mod operation;
mod recorder;
mod recording_store;
mod verdict;
mod watched;
pub mod workload;

pub use check::check;
pub use distant_store::DistantStore;
pub use fingerprint::Fingerprint;
pub use operation::{Answer, ClientId, Intent, Operation, Outcome, Refusal, Request, Seen, Tick};
pub use recorder::{History, Recorder};
pub use recording_store::RecordingStore;
pub use verdict::{Checked, Verdict, Violation};
pub use watched::{Told, WatchEnd, Watched};
