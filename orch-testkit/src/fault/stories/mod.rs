//! Scenarios for controllers of the common kinds, whoever wrote them.

mod deployment;
mod replica_set;

pub use deployment::deployment;
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::object::{Container, LabelSelector, ObjectMeta, Pod, PodSpec, PodTemplateSpec};
pub use replica_set::replica_set;

/// The namespace of all stories.
pub const NAMESPACE: &str = "shop";

fn key<T: Object>(name: &str) -> Key {
    Key::new(&T::KIND, Some(NAMESPACE), name).expect("a story's names are valid")
}

fn metadata(name: &str, app: &str) -> ObjectMeta {
    ObjectMeta {
        name: name.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        labels: [("app".to_owned(), app.to_owned())].into(),
        ..ObjectMeta::default()
    }
}

fn selector(app: &str) -> LabelSelector {
    LabelSelector::of_labels([("app".to_owned(), app.to_owned())].into())
}

fn template(app: &str, image: &str) -> PodTemplateSpec {
    let labels = metadata("", app).labels;
    PodTemplateSpec { metadata: ObjectMeta { labels, ..ObjectMeta::default() }, spec: pod_spec(image) }
}

fn pod_spec(image: &str) -> PodSpec {
    let container = Container { name: "main".to_owned(), image: Some(image.to_owned()), ..Container::default() };
    PodSpec { containers: vec![container], ..PodSpec::default() }
}

fn pod(name: &str, app: &str) -> Pod {
    Pod { metadata: metadata(name, app), spec: pod_spec("shop/web:1"), ..Pod::default() }
}
