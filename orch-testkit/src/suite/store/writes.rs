//! W1 to W4: writes.

use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::object::{Namespace, ObjectMeta};
use orch_core::store::{Expect, Store, Value};

pub async fn every_write_gets_a_greater_revision(store: impl Store) {
    let key = Key::new(&Namespace::KIND, None, "a").expect("a valid key");
    let object =
        Namespace { metadata: ObjectMeta { name: "a".into(), ..ObjectMeta::default() }, ..Namespace::default() };
    let first = store.put(&key, Value::new(object.clone()), Expect::Absent).await.expect("nothing is there");
    let second = store.put(&key, Value::new(object), Expect::Revision(first.revision)).await.expect("as expected");
    assert!(first.revision < second.revision);
}
