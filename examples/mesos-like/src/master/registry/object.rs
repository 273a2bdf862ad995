//! [`Stored`]: a record as an object of the store, and the key that it has there.

use orch_core::key::{Key, Prefix};
use orch_core::kind::{Kind, Object, Scope};
use orch_core::object::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::RegistryError;
use crate::key_name::key_name;
use crate::wire::{MediaType, Message};

/// A record as an object of the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    metadata: ObjectMeta,
    /// The message in JSON.
    record: serde_json::Value,
}

impl Object for Stored {
    const KIND: Kind = Kind {
        api_version: "mesos.apache.org/v1",
        name: "Record",
        collection: "records.mesos",
        scope: Scope::Namespaced,
    };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// What a record is about: each is a namespace in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Agents,
    Frameworks,
    Completed,
    Roles,
    Machines,
}

impl About {
    const ALL: [Self; 5] = [Self::Agents, Self::Frameworks, Self::Completed, Self::Roles, Self::Machines];

    const fn namespace(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Frameworks => "frameworks",
            Self::Completed => "completed",
            Self::Roles => "roles",
            Self::Machines => "machines",
        }
    }

    /// What the record at a key is about.
    pub(super) fn of(key: &Key) -> Option<Self> {
        Self::ALL.into_iter().find(|about| key.namespace() == Some(about.namespace()))
    }
}

/// Where all records are.
pub(super) fn everywhere() -> Prefix {
    Prefix::collection(&Stored::KIND)
}

/// Where the record of this name is.
pub(super) fn key(about: About, name: &str) -> Result<Key, RegistryError> {
    let wrong = |_| RegistryError::Name { name: name.to_owned() };
    Key::new(&Stored::KIND, Some(about.namespace()), &key_name(name)).map_err(wrong)
}

/// The object of a message.
pub(super) fn stored<T: Message>(key: &Key, message: &T) -> Stored {
    let metadata = ObjectMeta {
        name: key.name().to_owned(),
        namespace: key.namespace().map(str::to_owned),
        ..ObjectMeta::default()
    };
    // What a message is encoded to is JSON.
    let record = serde_json::from_slice(&MediaType::Json.encode(message)).unwrap_or_default();
    Stored { metadata, record }
}

/// The message of an object.
pub(super) fn message<T: Message>(stored: &Stored) -> Result<T, String> {
    let text = serde_json::to_vec(&stored.record).map_err(|error| error.to_string())?;
    MediaType::Json.decode(&text, "Record").map_err(|error| error.to_string())
}
