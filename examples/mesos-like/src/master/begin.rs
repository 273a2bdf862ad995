//! How a master begins to lead, by its flags.

use std::collections::BTreeSet;

use orch_core::allocator::{Allocator, Quantities, Role, Scalar};
use orch_core::clock::Timestamp;
use orch_core::entropy::{Entropy as _, SeededEntropy};
use orch_sched::offer::{AllocatorOptions, DrfAllocator, OptimisticAllocator};

use super::about::About;
use super::core::{Master, Records, Settings};
use super::flags::{AllocatorChoice, MasterFlags};
use super::registry::{Registered, RoleRecord};

/// A master that leads from now on, and knows what an earlier one recorded.
#[must_use]
pub fn master(about: &About, mut registered: Registered, now: Timestamp) -> Master {
    let flags = &about.flags;
    for (role, weight) in flags.weights.iter().flat_map(|weights| &weights.0) {
        let known = registered.roles.entry(role.clone());
        let record = known.or_insert_with(|| RoleRecord { role: role.clone(), ..RoleRecord::default() });
        record.weight.get_or_insert(*weight);
    }
    Master::new(about.info.clone(), settings(flags), allocator(flags), registered, now)
}

fn settings(flags: &MasterFlags) -> Settings {
    Settings {
        heartbeat: flags.heartbeat_interval,
        ping: flags.agent_ping_timeout,
        missed_pings: flags.max_agent_ping_timeouts,
        reregister: flags.agent_reregister_timeout,
        completed_frameworks: flags.max_completed_frameworks,
        completed_tasks: flags.max_completed_tasks_per_framework,
        records: Records {
            interval: flags.registry_gc_interval,
            age: flags.registry_max_agent_age,
            most: flags.registry_max_agent_count,
        },
        roles: flags.roles.as_ref().map(|roles| roles.0.clone()),
    }
}

fn allocator(flags: &MasterFlags) -> Box<dyn Allocator> {
    let region = flags.domain.as_ref().and_then(|domain| domain.fault_domain.as_ref());
    let names = flags.fair_sharing_excluded_resource_names.as_deref().unwrap_or_default();
    let options = AllocatorOptions {
        seed: SeededEntropy::from_os().next_u64(),
        min_allocatable: flags.min_allocatable_resources.0.clone(),
        least_refusal: flags.allocation_interval,
        offer_timeout: flags.offer_timeout,
        not_counted: names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        keep_gpus_free: flags.filter_gpu_resources,
        region: region.map(|domain| domain.region.name.clone()),
    };
    match flags.allocator {
        AllocatorChoice::Hierarchical => Box::new(DrfAllocator::new(options)),
        AllocatorChoice::Optimistic => Box::new(OptimisticAllocator::new(options)),
    }
}

/// The roles that there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(pub BTreeSet<Role>);

/// What is worth an offer: any of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Least(pub Vec<Quantities>);

impl std::str::FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let role = |name: &str| name.parse().map_err(|error| format!("{name:?} is no role: {error}"));
        // Who is in no role of his own is always there.
        names.map(role).chain([Ok(Role::default())]).collect::<Result<_, _>>().map(Self)
    }
}

impl std::fmt::Display for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.iter().map(Role::as_str).collect::<Vec<_>>().join(","))
    }
}

impl std::str::FromStr for Least {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let amount = |pair: &str| {
            let (name, amount) = pair.split_once(':')?;
            Some((name.trim().into(), Scalar::from_f64(amount.trim().parse().ok()?)?))
        };
        let alternatives = text.split('|').filter(|alternative| !alternative.trim().is_empty());
        let all: Option<Vec<_>> = alternatives.map(|all| all.split(';').map(amount).collect()).collect();
        all.map(Self).ok_or_else(|| format!("{text:?}: write amounts as in cpus:0.01|mem:32"))
    }
}

impl std::fmt::Display for Least {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = |quantities: &Quantities| {
            let amounts: Vec<_> =
                quantities.iter().map(|(name, amount)| format!("{name}:{}", amount.as_f64())).collect();
            amounts.join(";")
        };
        f.write_str(&self.0.iter().map(all).collect::<Vec<_>>().join("|"))
    }
}
