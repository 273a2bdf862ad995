//! [`RoleShown`]: what a role has, as the two APIs show it.

use std::collections::{BTreeMap, BTreeSet};

use crate::master::view::View;
use crate::v0::reserved_for;
use crate::wire::{FrameworkInfo, QuotaConfig, Resource, Scalar, ValueType};

/// A role, with all that is below it.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleShown<'a> {
    /// What it is called.
    pub name: String,
    /// How much more than others it gets.
    pub weight: f64,
    /// The frameworks in it.
    pub frameworks: Vec<&'a str>,
    /// What they use.
    pub allocated: Amounts,
    /// What they were offered.
    pub offered: Amounts,
    /// What is kept for it.
    pub reserved: Amounts,
    /// What of its quota is used up.
    pub consumed: Amounts,
    /// What it is to have at least, and at most.
    pub quota: Option<&'a QuotaConfig>,
}

/// Amounts by the names of resources.
pub type Amounts = BTreeMap<String, Scalar>;

/// All roles that anything is known about.
#[must_use]
pub fn roles(view: &View) -> Vec<RoleShown<'_>> {
    let mut names: BTreeSet<&str> = view.weights.keys().map(String::as_str).collect();
    names.extend(view.quotas.keys().map(String::as_str));
    for framework in &view.frameworks {
        names.extend(roles_of(&framework.framework_info).flat_map(with_ancestors));
    }
    for agent in &view.agents {
        names.extend(agent.total_resources.iter().filter_map(reserved_for).flat_map(with_ancestors));
    }
    names.into_iter().map(|name| role(view, name)).collect()
}

/// In which roles a framework is.
pub fn roles_of(framework: &FrameworkInfo) -> impl Iterator<Item = &str> {
    let single = if framework.roles.is_empty() { Some(framework.role.as_deref().unwrap_or("*")) } else { None };
    framework.roles.iter().map(String::as_str).chain(single)
}

fn role<'a>(view: &'a View, name: &str) -> RoleShown<'a> {
    let mut shown = RoleShown {
        name: name.to_owned(),
        weight: view.weights.get(name).copied().unwrap_or(1.0),
        frameworks: Vec::new(),
        allocated: Amounts::new(),
        offered: Amounts::new(),
        reserved: Amounts::new(),
        consumed: Amounts::new(),
        quota: view.quotas.get(name),
    };
    for framework in &view.frameworks {
        let info = &framework.framework_info;
        if roles_of(info).any(|role| role == name) {
            shown.frameworks.extend(info.id.as_ref().map(|id| id.value.as_str()));
        }
        let mine = |resource: &&Resource| {
            let role = resource.allocation_info.as_ref().and_then(|info| info.role.as_deref());
            is_in(role.unwrap_or_else(|| roles_of(info).next().unwrap_or("*")), name)
        };
        for resource in framework.allocated_resources.iter().filter(mine) {
            add(&mut shown.allocated, resource);
            // What is kept for the role counts below, used or not.
            if reserved_for(resource).is_none() && resource.revocable.is_none() {
                add(&mut shown.consumed, resource);
            }
        }
        for resource in framework.offered_resources.iter().filter(mine) {
            add(&mut shown.offered, resource);
        }
    }
    for resource in view.agents.iter().flat_map(|agent| &agent.total_resources) {
        if reserved_for(resource).is_some_and(|role| is_in(role, name)) {
            add(&mut shown.reserved, resource);
            add(&mut shown.consumed, resource);
        }
    }
    shown
}

fn add(amounts: &mut Amounts, resource: &Resource) {
    if resource.r#type() == ValueType::Scalar {
        let amount = resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
        amounts.entry(resource.name.clone()).or_default().value += amount;
    }
}

fn is_in(role: &str, ancestor: &str) -> bool {
    role.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A role and those above it.
fn with_ancestors(role: &str) -> impl Iterator<Item = &str> {
    let ends = role.match_indices('/').map(|(at, _)| at).chain([role.len()]);
    ends.map(|end| &role[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::operator::{Agent, Framework};
    use crate::wire::{AllocationInfo, ReservationInfo};

    fn cpus(value: f64, allocated: Option<&str>, reserved: Option<&str>) -> Resource {
        let allocation_info = allocated.map(|role| AllocationInfo { role: Some(role.to_owned()) });
        let reserved =
            reserved.map(|role| ReservationInfo { role: Some(role.to_owned()), ..ReservationInfo::default() });
        Resource {
            name: "cpus".to_owned(),
            scalar: Some(Scalar { value }),
            allocation_info,
            reservations: reserved.into_iter().collect(),
            ..Resource::default()
        }
    }

    #[test]
    fn a_role_has_what_all_below_it_have() {
        let info =
            FrameworkInfo { id: Some("f".into()), roles: vec!["eng/web".to_owned()], ..FrameworkInfo::default() };
        let framework = Framework {
            framework_info: info,
            allocated_resources: vec![cpus(1.0, Some("eng/web"), None), cpus(2.0, Some("eng/web"), Some("eng/web"))],
            offered_resources: vec![cpus(0.5, Some("eng/web"), None)],
            ..Framework::default()
        };
        let agent = Agent {
            total_resources: vec![
                cpus(4.0, None, None),
                cpus(3.0, None, Some("eng/web")),
                cpus(8.0, None, Some("ops")),
            ],
            ..Agent::default()
        };
        let weights = BTreeMap::from([("engine".to_owned(), 2.0)]);
        let view = View { frameworks: vec![framework], agents: vec![agent], weights, ..View::default() };
        let shown = roles(&view);
        let names: Vec<_> = shown.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(names, ["eng", "eng/web", "engine", "ops"]);
        let cpus = |amounts: &Amounts| amounts.get("cpus").map_or(0.0, |amount| amount.value);
        let eng = &shown[0];
        let amounts = [&eng.allocated, &eng.offered, &eng.reserved, &eng.consumed].map(cpus);
        assert_eq!((amounts, eng.frameworks.len(), shown[1].frameworks.len()), ([3.0, 0.5, 3.0, 4.0], 0, 1));
        assert_eq!((shown[2].weight, cpus(&shown[2].allocated), cpus(&shown[3].reserved)), (2.0, 0.0, 8.0));
    }
}
