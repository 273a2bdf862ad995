//! A store whose clients are recorded keeps every promise, and what the suites did with it is linearizable.

use std::sync::Arc;

use orch_testkit::history::{Recorder, RecordingStore, check};
use orch_testkit::model::ModelStore;

fn recorded() -> RecordingStore<ModelStore> {
    Recorder::new().client(Arc::new(ModelStore::default()))
}

orch_testkit::store_suite!(recorded());
orch_testkit::compact_suite!(recorded());
orch_testkit::transact_suite!(recorded());

#[test]
fn what_every_clause_of_the_suites_does_to_the_model_is_linearizable() {
    use orch_testkit::suite::store::{clauses, compact_clauses, transact_clauses};
    for clause in [clauses(), compact_clauses(), transact_clauses()].into_iter().flatten() {
        let recorder = Recorder::new();
        orch_testkit::suite::run((clause.check)(recorder.client(Arc::new(ModelStore::default()))));
        let verdict = check(&recorder.history());
        assert!(verdict.violation().is_none(), "{}: {}", clause.words, verdict.violation().expect("there is one"));
        verdict.expect_kept();
    }
}
