//! JSON as Mesos's older read endpoints show what messages say: `/state`, `/slaves`, `/tasks` and the like.

mod agent;
mod framework;
mod resources;
mod task;

use serde_json::{Map, Value};

pub use agent::{agent, agent_info, agent_with_all_resources};
pub use framework::{framework, framework_summary, master_info};
pub(crate) use resources::reserved_for;
pub use resources::{attributes, quantities, resources};
pub use task::{TaskCounts, executor, task};

use crate::wire::{Labels, MediaType, Message, TimeInfo};

/// A message as its own JSON.
#[must_use]
pub fn message<T: Message>(message: &T) -> Value {
    // What a message is encoded to is JSON.
    serde_json::from_slice(&MediaType::Json.encode(message)).unwrap_or_default()
}

/// Fields of an object, in the order of their names.
#[derive(Clone, Debug, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Puts a field in.
    pub fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Puts a field in, if there is something to put.
    pub fn put_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Self {
        Self::Object(fields.0)
    }
}

fn labels(labels: &Labels) -> Value {
    Value::Array(labels.labels.iter().map(message).collect())
}

/// A point in time in seconds.
pub(crate) fn seconds(time: &TimeInfo) -> f64 {
    // Beyond 2^53 nanoseconds, some are lost: a tenth of a microsecond since 1970.
    std::time::Duration::from_nanos(u64::try_from(time.nanoseconds).unwrap_or(0)).as_secs_f64()
}
