//! Weights and quotas.

use std::collections::BTreeMap;

use orch_core::allocator::{AllocatorChange, AllocatorError, Quantities, Quota, Role, Scalar};

use super::conflict;
use crate::http::Refusal;
use crate::master::core::{Master, Output};
use crate::master::registry::{RegistryChange, RoleRecord};
use crate::wire::{self, QuotaConfig, WeightInfo};

impl Master {
    /// What an earlier master recorded of roles.
    pub(in crate::master::core) fn recover_roles(&mut self, records: BTreeMap<String, RoleRecord>) {
        for record in records.into_values() {
            let Ok(role) = record.role.parse::<Role>() else {
                tracing::error!(role = record.role, "a role is recorded that is none");
                continue;
            };
            if let Some(weight) = record.weight {
                self.observe(AllocatorChange::Weight(role.clone(), weight));
                self.state.weights.insert(role.clone(), weight);
            }
            if let Some(quota) = record.quota.as_ref().and_then(|config| quota(config).ok()) {
                self.observe(AllocatorChange::Quota { role: role.clone(), quota: quota.clone(), force: true });
                self.state.quotas.insert(role, quota);
            }
        }
    }

    pub(super) fn set_weights(&mut self, weights: &[WeightInfo]) -> Result<(), Refusal> {
        let mut all = Vec::new();
        for info in weights {
            let role = role(info.role.as_deref().unwrap_or_default())?;
            if info.weight <= 0.0 || !info.weight.is_finite() {
                let reason = format!("Invalid weight '{}' for role '{role}': weights must be positive", info.weight);
                return Err(Refusal::bad_request(reason));
            }
            all.push((role, info.weight));
        }
        for (role, weight) in all {
            self.observe(AllocatorChange::Weight(role.clone(), weight));
            // What all have is not worth a word.
            if weight == 1.0 {
                self.state.weights.remove(&role);
            } else {
                self.state.weights.insert(role.clone(), weight);
            }
            self.record_role(&role);
        }
        Ok(())
    }

    pub(super) fn set_quotas(&mut self, configs: &[QuotaConfig], force: bool) -> Result<(), Refusal> {
        let mut before: Vec<(Role, Quota)> = Vec::new();
        for config in configs {
            let set = checked(config).and_then(|(role, quota)| {
                let old = self.state.quotas.get(&role).cloned().unwrap_or_default();
                self.set_quota(role.clone(), quota, force)?;
                before.push((role, old));
                Ok(())
            });
            if let Err(refusal) = set {
                // All of them, or none.
                for (role, old) in before.into_iter().rev() {
                    self.set_quota(role, old, true)?;
                }
                return Err(refusal);
            }
        }
        for (role, _) in before {
            self.record_role(&role);
        }
        self.allocate();
        Ok(())
    }

    fn set_quota(&mut self, role: Role, quota: Quota, force: bool) -> Result<(), Refusal> {
        let change = AllocatorChange::Quota { role: role.clone(), quota: quota.clone(), force };
        self.try_observe(change).map_err(|error| {
            let reason = format!("Failed to set quota for role '{role}': {error}");
            match error {
                AllocatorError::BadQuota { can_be_forced: true, .. } => {
                    conflict(format!("{reason}; it can be set with 'force'"))
                }
                _ => Refusal::bad_request(reason),
            }
        })?;
        if quota.is_default() {
            self.state.quotas.remove(&role);
        } else {
            self.state.quotas.insert(role, quota);
        }
        Ok(())
    }

    fn record_role(&mut self, role: &Role) {
        let weight = self.state.weights.get(role).copied();
        let quota = self.state.quotas.get(role).map(|quota| said(role, quota));
        let record = RoleRecord { role: role.to_string(), weight, quota };
        self.say(Output::Record(RegistryChange::Role(record)));
    }
}

/// A quota as messages have it.
pub(in crate::master) fn said(role: &Role, quota: &Quota) -> QuotaConfig {
    let amounts = |quantities: &Quantities| {
        quantities.iter().map(|(name, amount)| (name.to_string(), wire::Scalar { value: amount.as_f64() })).collect()
    };
    QuotaConfig { role: role.to_string(), guarantees: amounts(&quota.guarantees), limits: amounts(&quota.limits) }
}

fn role(name: &str) -> Result<Role, Refusal> {
    name.parse().map_err(|error| Refusal::bad_request(format!("Invalid role '{name}': {error}")))
}

fn checked(config: &QuotaConfig) -> Result<(Role, Quota), Refusal> {
    let role = role(&config.role)?;
    let invalid = |reason: String| Refusal::bad_request(format!("Invalid QuotaConfig of role '{role}': {reason}"));
    if role == Role::default() {
        return Err(invalid("the default role has no quota".to_owned()));
    }
    let quota = quota(config).map_err(invalid)?;
    let exceeds = |(name, guarantee): &(&std::sync::Arc<str>, &Scalar)| {
        quota.limits.get(*name).is_some_and(|limit| limit < *guarantee)
    };
    if let Some((name, _)) = quota.guarantees.iter().find(exceeds) {
        let reason = format!("the guarantee of {name} is more than its limit");
        return Err(Refusal::bad_request(format!("Invalid QuotaConfig of role '{role}': {reason}")));
    }
    Ok((role, quota))
}

fn quota(config: &QuotaConfig) -> Result<Quota, String> {
    let amounts = |amounts: &BTreeMap<String, wire::Scalar>| {
        let amount = |(name, amount): (&String, &wire::Scalar)| {
            let scalar = Scalar::from_f64(amount.value).filter(|scalar| scalar.as_f64() >= 0.0);
            let scalar = scalar.ok_or_else(|| format!("{} of {name} is no amount", amount.value))?;
            Ok::<_, String>((name.as_str().into(), scalar))
        };
        amounts.iter().map(amount).collect::<Result<Quantities, String>>()
    };
    Ok(Quota { guarantees: amounts(&config.guarantees)?, limits: amounts(&config.limits)? })
}
