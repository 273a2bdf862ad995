//! How much there is of it, and for how long.

use orch_core::allocator::Role;

use super::super::findings::Findings;
use crate::marathon::model::App;

/// More than any agent has: from here on numbers are no longer exact to three decimals.
const MOST: f64 = 1e12;

/// Thirty years.
const MOST_SECONDS: f64 = 1e9;

/// More instances than any cluster runs.
const MOST_INSTANCES: u32 = 1_000_000;

pub(super) fn check(app: &App, findings: &mut Findings) {
    for (path, value, least, most) in [
        ("/cpus", app.cpus, 0.0, MOST),
        ("/mem", app.mem, 0.0, MOST),
        ("/disk", app.disk, 0.0, MOST),
        ("/backoffSeconds", app.backoff_seconds, 0.0, MOST_SECONDS),
        ("/backoffFactor", app.backoff_factor, 1.0, 1e6),
        ("/maxLaunchDelaySeconds", app.max_launch_delay_seconds, 0.0, MOST_SECONDS),
        ("/upgradeStrategy/minimumHealthCapacity", app.upgrade_strategy.minimum_health_capacity, 0.0, 1.0),
        ("/upgradeStrategy/maximumOverCapacity", app.upgrade_strategy.maximum_over_capacity, 0.0, 1.0),
    ] {
        if !(least..=most).contains(&value) {
            findings.add(path, format!("{value} is not from {least} to {most}"));
        }
    }
    if app.instances > MOST_INSTANCES {
        findings.add("/instances", format!("{} is not from 0 to {MOST_INSTANCES}", app.instances));
    }
    let accepted = app.accepted_resource_roles.iter().flatten().enumerate();
    let accepted = accepted.map(|(index, role)| (format!("/acceptedResourceRoles({index})"), role));
    let own = app.role.iter().map(|role| ("/role".to_owned(), role));
    for (path, role) in accepted.chain(own) {
        if let Err(error) = role.parse::<Role>() {
            findings.add(&path, error.to_string());
        }
    }
    if app.role.as_deref() == Some("*") {
        findings.add("/role", "what all may use is in no role: leave it out");
    }
}
