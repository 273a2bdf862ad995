//! What operators decide: quotas, weights, when machines are out of use, which agents are emptied.

use std::collections::BTreeMap;

use super::base::*;
use super::describe::{messages, names};

messages! {
    /// What a role is to have at least, and at most.
    QuotaConfig {
        #[prost(string, required, tag = "1")] role: String,
        #[prost(btree_map = "string, message", tag = "2")] guarantees: BTreeMap<String, Scalar>,
        #[prost(btree_map = "string, message", tag = "3")] limits: BTreeMap<String, Scalar>,
    }

    /// How much more than others a role gets.
    WeightInfo {
        #[prost(double, required, tag = "1")] weight: f64,
        #[prost(string, optional, tag = "2")] role: Option<String>,
    }

    /// Machines that are out of use together.
    Window {
        #[prost(message, repeated, tag = "1")] machine_ids: Vec<MachineId>,
        #[prost(message, required, tag = "2")] unavailability: Unavailability,
    }

    /// When machines are out of use.
    Schedule { #[prost(message, repeated, tag = "1")] windows: Vec<Window>, }

    /// How an agent is emptied.
    DrainConfig {
        /// The longest that a task may take to end.
        #[prost(message, optional, tag = "1")] max_grace_period: Option<DurationInfo>,
        /// Whether the agent never comes back.
        #[prost(bool, optional, tag = "2", default = "false")] mark_gone: Option<bool>,
    }

    /// How far the emptying of an agent is.
    DrainInfo {
        #[prost(enumeration(DrainState), required, tag = "1")] state: i32,
        #[prost(message, required, tag = "2")] config: DrainConfig,
    }
}

names! {
    /// How far the emptying of an agent is.
    DrainState { Unknown = 0 "UNKNOWN", Draining = 1 "DRAINING", Drained = 2 "DRAINED", }
}
