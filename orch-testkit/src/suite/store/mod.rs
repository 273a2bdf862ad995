//! The suite of [`Store`](orch_core::store::Store).

pub mod writes;

use orch_core::store::Store;

use super::Clause;

/// Lists the clauses of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! store_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::store as clauses; [$($args)*]
            W1 writes::every_write_gets_a_greater_revision
                "Every successful write gets a revision of its own, greater than that of every write before it.";
        }
    };
}

/// Makes a test of every clause of the store suite. The argument is an expression that makes a new, empty store.
#[macro_export]
macro_rules! store_suite {
    ($store:expr) => {
        $crate::store_clauses! { [$crate::clause_tests] [$store] }
    };
}

/// The clauses of the store suite.
#[must_use]
pub fn clauses<S: Store>() -> &'static [Clause<S>] {
    store_clauses! { [crate::clause_table] [] }
}
