//! Conformance suites: one function per clause of a contract, run by every implementation.
//!
//! Each suite has a macro `…_clauses!` that lists its clauses once, and is handed another macro to do something with
//! the list: [`clause_tests!`](crate::clause_tests) makes a test of each, [`clause_table!`](crate::clause_table) a table.

pub mod allocator;
pub mod controller;
pub mod images;
pub mod interactive;
#[cfg(feature = "daemon")]
mod namespace;
pub mod proxy;
pub mod routes;
pub mod runtime;
pub mod scheduler;
pub mod store;
pub mod volumes;

use std::fmt;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;

/// One clause of a contract, and the check of it.
pub struct Clause<Subject> {
    /// The promise in the trait's documentation: `W1`.
    pub id: &'static str,
    /// What must hold, in one sentence.
    pub words: &'static str,
    /// Panics if it does not hold.
    pub check: fn(Subject) -> LocalBoxFuture<'static, ()>,
}

impl<Subject> fmt::Debug for Clause<Subject> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.words)
    }
}

/// Checks every clause against a fresh subject each, and returns the words of those that do not hold.
///
/// This is how a suite is shown to catch an implementation that is wrong on purpose.
pub fn violated<Subject>(clauses: &[Clause<Subject>], fresh: impl Fn() -> Subject) -> Vec<String> {
    violated_in(clauses, fresh, false)
}

/// The same with tokio's time paused: where there is nothing to do but to wait, no time is spent on it. For subjects in
/// memory that have nothing to do with the time of day.
pub fn violated_in_no_time<Subject>(clauses: &[Clause<Subject>], fresh: impl Fn() -> Subject) -> Vec<String> {
    violated_in(clauses, fresh, true)
}

fn violated_in<Subject>(clauses: &[Clause<Subject>], fresh: impl Fn() -> Subject, paused: bool) -> Vec<String> {
    let holds = |clause: &Clause<Subject>| {
        let subject = fresh();
        run(async {
            if paused {
                tokio::time::pause();
            }
            AssertUnwindSafe((clause.check)(subject)).catch_unwind().await.is_ok()
        })
    };
    clauses.iter().filter(|clause| !holds(clause)).map(|clause| format!("{clause:?}")).collect()
}

/// Runs a check to its end on a runtime of its own.
///
/// # Panics
/// When the check panics, or the operating system gives no runtime.
pub fn run<T>(check: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("the operating system gives a runtime").block_on(check)
}

/// Makes a test of every clause of a list.
#[doc(hidden)]
#[macro_export]
macro_rules! clause_tests {
    ($suite:item [$subject:expr] $($id:ident $module:ident::$name:ident $words:literal;)*) => {
        $(
            #[doc = $words]
            #[test]
            fn $name() {
                $suite
                $crate::suite::run(async { clauses::$module::$name($subject).await });
            }
        )*
    };
}

/// Makes a slice of [`Clause`](crate::suite::Clause) of a list.
#[doc(hidden)]
#[macro_export]
macro_rules! clause_table {
    ($suite:item [] $($id:ident $module:ident::$name:ident $words:literal;)*) => {
        {
            $suite
            &[$($crate::suite::Clause {
                id: stringify!($id),
                words: $words,
                check: |subject| ::std::boxed::Box::pin(clauses::$module::$name(subject)),
            }),*]
        }
    };
}
