//! [`Event`]: something that happened to an object, told for people.

use serde::{Deserialize, Serialize};

use super::metadata::{ObjectMeta, Uid};
use super::null::{is_default, null_as_default};
use super::time::{MicroTime, Time};
use crate::kind::{Kind, Object, Scope};
use crate::revision::Revision;
use crate::validation::Problems;

/// Something that happened to an object, told for people. Programs must not depend on events: they are dropped under
/// load and expire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// What every object has.
    pub metadata: ObjectMeta,
    /// The object it happened to.
    pub involved_object: ObjectReference,
    /// What happened, in one word in CamelCase: `FailedScheduling`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who tells it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub source: EventSource,
    /// When it first happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_timestamp: Option<Time>,
    /// When it last happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_timestamp: Option<Time>,
    /// How often it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i32>,
    /// Whether it is as it should be; see [`event_type`](Self::event_type).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<EventType>,
    /// When it happened, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_time: Option<MicroTime>,
    /// What was done about it, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Who tells it: the name of a controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reporting_component: Option<String>,
    /// Which of several instances tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reporting_instance: Option<String>,
}

impl Object for Event {
    const KIND: Kind = Kind { api_version: "v1", name: "Event", collection: "events", scope: Scope::Namespaced };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn validate(&self, problems: &mut Problems) {
        let about = self.involved_object.namespace.as_deref().filter(|namespace| !namespace.is_empty());
        if about.is_some_and(|namespace| self.metadata.namespace.as_deref() != Some(namespace)) {
            let message = "must be the namespace of the event itself";
            problems.field("involvedObject", |object| object.field("namespace", |problems| problems.report(message)));
        }
        problems.at_least("count", self.count, 0);
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.involved_object == other.involved_object
            && self.reason == other.reason
            && self.message == other.message
            && self.source == other.source
            && self.first_timestamp == other.first_timestamp
            && self.last_timestamp == other.last_timestamp
            && self.count == other.count
            && self.r#type == other.r#type
            && self.event_time == other.event_time
            && self.action == other.action
            && self.reporting_component == other.reporting_component
            && self.reporting_instance == other.reporting_instance
    }
}

impl Event {
    /// Whether what happened is as it should be; [`EventType::Normal`] by default.
    #[must_use]
    pub fn event_type(&self) -> EventType {
        self.r#type.unwrap_or_default()
    }
}

/// Whether what happened is as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventType {
    /// It is.
    #[default]
    Normal,
    /// Somebody should look at it.
    Warning,
}

/// Who tells an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventSource {
    /// The name of the part: `scheduler`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The node it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// Names another object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectReference {
    /// Its group and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its namespace, if the kind has namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its uid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// The revision of it that is meant.
    #[serde(rename = "resourceVersion", skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The part of it that is meant: `spec.containers{web}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_path: Option<String>,
}

impl ObjectReference {
    /// The reference that names `object` as it was when it was read.
    #[must_use]
    pub fn to<T: Object>(object: &T) -> Self {
        let metadata = object.metadata();
        Self {
            api_version: Some(T::KIND.api_version.to_owned()),
            kind: Some(T::KIND.name.to_owned()),
            namespace: metadata.namespace.clone(),
            name: Some(metadata.name.clone()),
            uid: metadata.uid.clone(),
            revision: metadata.revision,
            field_path: None,
        }
    }
}
