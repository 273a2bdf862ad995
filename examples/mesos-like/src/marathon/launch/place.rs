//! [`place`]: where instances of an app run, out of what is offered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use orch_core::object::{Container, Node, NodeStatus, ObjectMeta, Pod, PodSpec, Quantity};
use orch_core::scheduler::{Outcome, Scheduler as _, SupplyChange};
use orch_sched::FilterScoreScheduler;
use orch_sched::filter_score::{Filter, NodeInfo, PodInfo, Reason};

use super::constraint::meets;
use super::disks::all_disk;
use super::{Spot, Supply};
use crate::marathon::model::App;
use crate::wire::Resource;

/// An instance that has a place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// On which of the offers.
    pub offer: usize,
    /// With which ports of the agent, in the order of the app's.
    pub ports: Vec<u16>,
    /// With which of the offered resources.
    pub resources: Vec<Resource>,
}

/// Which offers were of no use to an instance that has none, and why, as Marathon names it.
pub type Unplaced = BTreeMap<usize, &'static str>;

/// Decides where up to `count` instances of an app run, one after another, by the rules of this crate's
/// [`FilterScoreScheduler`] with one of Marathon's in the place of its rule about resources. `others` is where the app's
/// instances are; `begin` where the search for free ports begins. What is placed is taken from the supplies.
///
/// Returns why the next instance has no place, if one has none.
#[must_use]
pub fn place(
    app: &App,
    roles: &BTreeSet<String>,
    supplies: &mut [Supply],
    others: &[Spot],
    count: u32,
    begin: u64,
) -> (Vec<Placed>, Option<Unplaced>) {
    let seen = supplies.iter().map(|supply| supply.spot.clone()).chain(others.iter().cloned()).collect();
    let round = Round {
        app: app.clone(),
        roles: roles.clone(),
        begin,
        others: others.to_vec(),
        seen,
        left: BTreeMap::new(),
        refused: BTreeMap::new(),
    };
    let round = Arc::new(Mutex::new(round));
    let mut scheduler = FilterScoreScheduler::builder().seed(begin).filter(Rule(Arc::clone(&round))).build();
    for (index, supply) in supplies.iter().enumerate() {
        locked(&round).left.insert(node_name(index), supply.clone());
        scheduler.observe(SupplyChange::NodePut(Arc::new(node(index, supply, roles))));
    }
    let mut placed = Vec::new();
    for number in 0..count {
        locked(&round).refused.clear();
        let decisions = scheduler.schedule(&[Arc::new(pod(number, app))]);
        let outcome = decisions.into_iter().next().map(|decision| decision.outcome);
        let Some(Outcome::Place { node: name, .. }) = outcome else {
            let round = locked(&round);
            let why = |index| round.refused.get(&node_name(index)).copied().unwrap_or(OTHER);
            return (placed, Some((0..supplies.len()).map(|index| (index, why(index))).collect()));
        };
        let Some(index) = (0..supplies.len()).find(|index| node_name(*index) == name) else { break };
        let supply = &mut supplies[index];
        let taken = supply.ports(app, roles, begin).and_then(|ports| Some((supply.take(app, &ports, roles)?, ports)));
        // The rule has seen that all of it is there.
        let Some((resources, ports)) = taken else { break };
        placed.push(Placed { offer: index, ports, resources });
        let mut round = locked(&round);
        round.others.push(supply.spot.clone());
        round.left.insert(name, supply.clone());
        scheduler.observe(SupplyChange::NodePut(Arc::new(node(index, supply, roles))));
    }
    (placed, None)
}

/// Why an offer is of no use that no rule here refused.
const OTHER: &str = "AgentMaintenance";

/// What the rule looks at.
#[derive(Debug)]
struct Round {
    app: App,
    roles: BTreeSet<String>,
    begin: u64,
    others: Vec<Spot>,
    seen: Vec<Spot>,
    left: BTreeMap<String, Supply>,
    /// Why the offers were of no use to the instance that is being placed.
    refused: BTreeMap<String, &'static str>,
}

/// Marathon's rules about offers, as one of a scheduler.
#[derive(Debug)]
struct Rule(Arc<Mutex<Round>>);

impl Filter for Rule {
    /// It takes the place of the rule about resources: that counts per pod, this one also by role.
    fn name(&self) -> &'static str {
        "NodeResources"
    }

    fn check(&self, _: &PodInfo, node: &NodeInfo) -> Result<(), Reason> {
        let mut round = locked(&self.0);
        let Some(supply) = round.left.get(node.name()) else { return Err(OTHER.into()) };
        let Some(reason) = round.refusal(supply) else { return Ok(()) };
        round.refused.insert(node.name().to_owned(), reason);
        Err(reason.into())
    }
}

impl Round {
    fn refusal(&self, supply: &Supply) -> Option<&'static str> {
        let Self { app, roles, others, seen, .. } = self;
        if !supply.is_for(roles) {
            return Some("UnfulfilledRole");
        }
        if !app.constraints.iter().all(|constraint| meets(constraint, &supply.spot, others, seen)) {
            return Some("UnfulfilledConstraint");
        }
        let lacking = [
            ("cpus", app.cpus, "InsufficientCpus"),
            ("mem", app.mem, "InsufficientMemory"),
            ("disk", all_disk(app), "InsufficientDisk"),
            ("gpus", f64::from(app.gpus), "InsufficientGpus"),
        ];
        if let Some((.., reason)) = lacking.into_iter().find(|(name, amount, _)| *amount > supply.amount(name, roles)) {
            return Some(reason);
        }
        supply.ports(app, roles, self.begin).is_none().then_some("InsufficientPorts")
    }
}

fn locked(round: &Mutex<Round>) -> std::sync::MutexGuard<'_, Round> {
    round.lock().unwrap_or_else(PoisonError::into_inner)
}

fn node_name(index: usize) -> String {
    format!("offer-{index:06}")
}

/// An offer as a node: by what is left of it the scheduler prefers one that has more.
fn node(index: usize, supply: &Supply, roles: &BTreeSet<String>) -> Node {
    let amount = |name: &str, unit: &str, scale: f64| {
        Quantity::parse(&format!("{:.0}{unit}", supply.amount(name, roles) * scale)).unwrap_or_default()
    };
    let allocatable =
        [("cpu".to_owned(), amount("cpus", "m", 1_000.0)), ("memory".to_owned(), amount("mem", "Mi", 1.0))].into();
    Node {
        metadata: ObjectMeta { name: node_name(index), ..ObjectMeta::default() },
        status: NodeStatus { allocatable, ..NodeStatus::default() },
        ..Node::default()
    }
}

fn pod(number: u32, app: &App) -> Pod {
    let namespace = Some("default".to_owned());
    let name = format!("{}-{number}", app.id.joined("-"));
    Pod {
        metadata: ObjectMeta {
            name: format!("i{}", &name[name.len().saturating_sub(60)..]),
            namespace,
            ..ObjectMeta::default()
        },
        spec: PodSpec {
            containers: vec![Container { name: "app".to_owned(), ..Container::default() }],
            ..PodSpec::default()
        },
        ..Pod::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Attribute, Offer, Range, Ranges, ReservationInfo, Scalar, Text, ValueType};

    fn scalar(name: &str, value: f64) -> Resource {
        let mut resource = Resource { name: name.to_owned(), scalar: Some(Scalar { value }), ..Resource::default() };
        resource.set_type(ValueType::Scalar);
        resource
    }

    fn supply(host: &str, cpus: f64, mem: f64, ports: (u64, u64)) -> Supply {
        let ranges = Some(Ranges { range: vec![Range { begin: ports.0, end: ports.1 }] });
        let mut all = Resource { name: "ports".to_owned(), ranges, ..Resource::default() };
        all.set_type(ValueType::Ranges);
        let mut rack = Attribute { name: "rack".to_owned(), ..Attribute::default() };
        rack.text = Some(Text { value: host[..1].to_owned() });
        rack.set_type(ValueType::Text);
        Supply::of(Offer {
            id: host.into(),
            agent_id: host.into(),
            hostname: host.to_owned(),
            resources: vec![scalar("cpus", cpus), scalar("mem", mem), all],
            attributes: vec![rack],
            ..Offer::default()
        })
    }

    fn app(more: serde_json::Value) -> App {
        let mut app = serde_json::json!({ "id": "/web", "cmd": "x", "cpus": 0.5, "portDefinitions": [{ "port": 0 }] });
        app.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        serde_json::from_value(app).expect("an app")
    }

    fn all() -> BTreeSet<String> {
        BTreeSet::from(["*".to_owned()])
    }

    fn hosts(placed: &[Placed]) -> Vec<usize> {
        placed.iter().map(|placed| placed.offer).collect()
    }

    #[test]
    fn instances_fill_what_is_offered_and_the_first_that_finds_no_place_says_why() {
        let mut supplies = [supply("a1", 1.0, 1024.0, (31_000, 31_001)), supply("b1", 10.0, 300.0, (31_000, 31_000))];
        let (placed, why) = place(&app(serde_json::json!({})), &all(), &mut supplies, &[], 9, 7);
        assert_eq!(placed.len(), 3);
        assert_eq!(why, Some(Unplaced::from([(0, "InsufficientCpus"), (1, "InsufficientPorts")])));
        let mut ports: Vec<_> = placed.iter().map(|placed| (placed.offer, placed.ports[0])).collect();
        ports.sort_unstable();
        assert_eq!(ports, [(0, 31_000), (0, 31_001), (1, 31_000)]);
        assert!(placed.iter().all(|placed| placed.resources.len() == 3));
    }

    #[test]
    fn constraints_count_what_was_just_placed() {
        let offers =
            || [supply("a1", 9.0, 9e3, (1, 9)), supply("a2", 9.0, 9e3, (1, 9)), supply("b1", 9.0, 9e3, (1, 9))];
        let unique = app(serde_json::json!({ "constraints": [["hostname", "UNIQUE"]] }));
        let (placed, why) = place(&unique, &all(), &mut offers(), &[], 4, 0);
        assert_eq!((placed.len(), why), (3, Some((0..3).map(|offer| (offer, "UnfulfilledConstraint")).collect())));
        let spread = app(serde_json::json!({ "constraints": [["rack", "GROUP_BY"]] }));
        let (placed, why) = place(&spread, &all(), &mut offers(), &[], 4, 0);
        let in_b = hosts(&placed).iter().filter(|offer| **offer == 2).count();
        assert_eq!((in_b, why), (2, None));
    }

    #[test]
    fn a_port_that_is_required_is_taken_or_the_offer_is_of_no_use() {
        let fixed = app(serde_json::json!({ "requirePorts": true, "portDefinitions": [{ "port": 31_005 }] }));
        let mut supplies = [supply("a1", 9.0, 9e3, (31_000, 31_004)), supply("b1", 9.0, 9e3, (31_000, 31_009))];
        let (placed, why) = place(&fixed, &all(), &mut supplies, &[], 2, 0);
        assert_eq!((placed[0].offer, placed[0].ports.clone()), (1, vec![31_005]));
        assert_eq!(
            (placed.len(), why),
            (1, Some(Unplaced::from([(0, "InsufficientPorts"), (1, "InsufficientPorts")])))
        );
    }

    #[test]
    fn what_is_reserved_is_for_its_role_alone_and_taken_first() {
        let reserved = || {
            let mut supply = supply("a1", 1.0, 9e3, (1, 9));
            let reservation = ReservationInfo { role: Some("web".to_owned()), ..ReservationInfo::default() };
            let mine = Resource { reservations: vec![reservation], ..scalar("cpus", 0.4) };
            supply.offer.resources.push(mine);
            [Supply::of(supply.offer)]
        };
        let both = BTreeSet::from(["*".to_owned(), "web".to_owned()]);
        let (placed, _) = place(&app(serde_json::json!({})), &both, &mut reserved(), &[], 9, 0);
        assert_eq!(placed.len(), 2);
        let cpus: Vec<f64> = placed[0]
            .resources
            .iter()
            .filter(|resource| resource.name == "cpus")
            .map(|resource| resource.scalar.as_ref().expect("a scalar").value)
            .collect();
        assert_eq!(cpus, [0.4, 0.1]);
        let other = BTreeSet::from(["db".to_owned()]);
        let (placed, why) = place(&app(serde_json::json!({})), &other, &mut reserved(), &[], 1, 0);
        assert_eq!((placed.len(), why), (0, Some(Unplaced::from([(0, "UnfulfilledRole")]))));
    }
}
