//! What is recorded of each agent, framework, role and machine: messages, as they stand in the store.

use crate::wire::describe::{messages, names};
use crate::wire::{AgentInfo, DrainInfo, FrameworkId, FrameworkInfo, MachineId, QuotaConfig, TimeInfo, Unavailability};

messages! {
    /// An agent that was admitted once.
    AgentRecord {
        #[prost(message, required, tag = "1")] agent: AgentInfo,
        #[prost(enumeration(AgentStanding), required, tag = "2")] standing: i32,
        /// Since when it stands so.
        #[prost(message, required, tag = "3")] since: TimeInfo,
        /// How it is emptied, if it is.
        #[prost(message, optional, tag = "4")] drain: Option<DrainInfo>,
        /// Whether it gets no tasks, because an operator said so.
        #[prost(bool, optional, tag = "5")] deactivated: Option<bool>,
    }

    /// A framework that has not ended.
    FrameworkRecord {
        /// Who it is, its id and its failover timeout among it.
        #[prost(message, required, tag = "1")] framework: FrameworkInfo,
        /// When it was heard of last, if it is not connected.
        #[prost(message, optional, tag = "2")] disconnected: Option<TimeInfo>,
    }

    /// A framework that has ended, and whose id is used no more.
    CompletedRecord {
        #[prost(message, required, tag = "1")] framework_id: FrameworkId,
        #[prost(message, required, tag = "2")] since: TimeInfo,
    }

    /// What was decided about a role.
    RoleRecord {
        #[prost(string, required, tag = "1")] role: String,
        #[prost(double, optional, tag = "2")] weight: Option<f64>,
        #[prost(message, optional, tag = "3")] quota: Option<QuotaConfig>,
    }

    /// A machine that is, or will be, out of use.
    MachineRecord {
        #[prost(message, required, tag = "1")] machine: MachineId,
        #[prost(message, required, tag = "2")] unavailability: Unavailability,
        /// Whether its agents are shut down and may not come back.
        #[prost(bool, required, tag = "3")] down: bool,
        /// Which window of the schedule it is in: machines of one window are told together.
        #[prost(uint32, required, tag = "4")] window: u32,
    }
}

names! {
    /// How an agent stands with the master: one that is unreachable may come back, one that is gone never does.
    AgentStanding { Admitted = 1 "ADMITTED", Unreachable = 2 "UNREACHABLE", Gone = 3 "GONE", }
}
