//! The model store keeps every promise of a store.

use orch_testkit::model::ModelStore;

orch_testkit::store_suite!(ModelStore::default());
orch_testkit::compact_suite!(ModelStore::default());
orch_testkit::transact_suite!(ModelStore::default());
orch_testkit::claim_suite!(ModelStore::default());
