//! [`Comparison`]: all that is measured with one table.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::time::Duration;

use orch_net::{IptablesConfig, IptablesProxy, NftablesConfig, NftablesProxy};
use orch_testkit::daemon::program;
use tokio::runtime::Runtime;

use super::floor::Floor;
use super::growth::Growth;
use super::node::run;
use super::restored::Restored;
use super::shape::{Shape, State};
use super::subject::{Changes, Samples, Subject};
use super::{kube, packets};
use crate::measure::{Cost, Measured, Side, cost, cost_with_children, in_turn, in_turn_within, spread};
use crate::row::{Goal, Row, time};

/// How many changes make one round.
const CHANGES: usize = 15;

/// How long changes of iptables are apart. Linux takes some milliseconds to be done with the last one, and one that comes
/// earlier waits for that.
const REST: Duration = Duration::from_millis(30);

const MILLISECOND: f64 = 1e6;

/// All that is measured with one table.
#[derive(Clone, Copy)]
pub struct Comparison<'a> {
    pub shape: Shape,
    /// After so much time no further round of one comparison begins.
    pub limit: Duration,
    pub executor: &'a Runtime,
}

impl Comparison<'_> {
    /// Measures all of it.
    pub fn rows(self, growth: &mut Growth) -> Vec<Row> {
        self.say("IptablesProxy's first sync");
        let config = IptablesConfig { timeout: Duration::from_secs(600), check_interval: None, ..programs() };
        let (iptables, iptables_load) = Subject::new(self.shape, IptablesProxy::new(config), REST, self.executor);
        let saved = [iptables.node.on(|| run("iptables-save", &[], "") + "\n")];
        self.say("the same rules by iptables-restore");
        let bare = Restored::new("iptables-restore of the same rules", &[], &saved);
        self.say("rules in kube-proxy's shape by iptables-restore");
        let kube = Restored::new(
            "iptables-restore of as many in kube-proxy’s shape, in portions",
            &["--noflush"],
            &kube::whole(self.shape),
        );
        self.say("NftablesProxy's first sync");
        let config = NftablesConfig { check_every: Duration::from_secs(24 * 3600), ..NftablesConfig::default() };
        let (nftables, nftables_load) =
            Subject::new(self.shape, NftablesProxy::new(config), Duration::ZERO, self.executor);

        let first = format!("{}, first sync", self.shape);
        let once = |name: &str, cost: Cost| Measured { name: name.to_owned(), costs: vec![cost] };
        let (of_iptables, of_nftables) = (once("IptablesProxy", iptables_load), once("NftablesProxy", nftables_load));
        let mut rows = vec![
            Row::of(&first, &of_iptables, bare.load()),
            Row::of(&first, &of_iptables, kube.load()),
            Row::of(&first, &of_nftables, kube.load()),
        ];
        rows.extend(self.changes_of_iptables(&iptables, &bare, &saved[0], &kube, growth));
        rows.extend(self.changes_of_nftables(&nftables, growth));
        self.say("first packets");
        rows.extend(packets::rows(self.shape, &iptables.node, &nftables.node, &kube.node, growth));
        rows
    }

    /// `saved` are the rules as they were at first.
    fn changes_of_iptables(
        self,
        iptables: &Subject<'_>,
        bare: &Restored,
        saved: &str,
        kube: &Restored,
        growth: &mut Growth,
    ) -> Vec<Row> {
        self.say("changes by IptablesProxy, by all rules anew, and in kube-proxy's shape");
        let state = Cell::new(State::default());
        let whole = || {
            let cost = bare.restore(&[], saved);
            Changes { replacement: cost, addition: cost }
        };
        let partial = || {
            let before = state.get();
            let replaced = State { replaced: before.replaced + 1, ..before };
            let replacement = kube.restore(&["--noflush"], &kube::replacement(self.shape, before, replaced));
            let added = State { added: replaced.added + 1, ..replaced };
            state.set(added);
            Changes { replacement, addition: kube.restore(&["--noflush"], &kube::addition(self.shape, added)) }
        };
        let sides = [
            Side::new("IptablesProxy", || iptables.change(CHANGES)),
            Side::new("what kube-proxy restores then: all of KUBE-SERVICES, and the chains of that service", partial),
            Side::new("iptables-restore of all rules that IptablesProxy has", whole),
        ];
        let measured = in_turn_within(self.limit, sides);
        let at_most = |row: Row| row.goal_if(self.shape.services == 10_000, Goal::Nanoseconds(25.0 * MILLISECOND));
        let mut rows = Vec::new();
        for (what, samples, part) in changes(iptables) {
            let [ours, partial, whole] = measured.each_ref().map(|measured| measured.part(part));
            let (what, note) = (format!("{}, {what}", self.shape), note(&ours, samples));
            rows.push(at_most(Row::of(&what, &ours, &partial).note(&note)).goal(Goal::TimesAsFast(40.0)));
            rows.push(Row::of(&what, &ours, &whole).goal(Goal::TimesAsFast(500.0)));
        }
        growth.add(self.shape, "IptablesProxy, one endpoint replaced, p50", Growth::FLAT, iptables.replacements.at(50));
        growth.add(self.shape, "IptablesProxy, one service added, p50", Growth::FLAT, iptables.additions.at(50));
        rows
    }

    fn changes_of_nftables(self, nftables: &Subject<'_>, growth: &mut Growth) -> Vec<Row> {
        self.say("changes by NftablesProxy, and of one element");
        let floor = RefCell::new(Floor::new(self.shape));
        let both = |cost| Changes { replacement: cost, addition: cost };
        let measured = in_turn([
            Side::new("NftablesProxy", || nftables.change(2 * CHANGES)),
            Side::new("one element of one map replaced, by netlink", || {
                both(cost(CHANGES, || (0..CHANGES).for_each(|_| floor.borrow_mut().by_netlink())))
            }),
            Side::new("one element of one map replaced, by nft", || {
                both(cost_with_children(1, || floor.borrow_mut().by_program()))
            }),
        ]);
        let mut rows = Vec::new();
        for (what, samples, part) in changes(nftables) {
            let [ours, netlink, program] = measured.each_ref().map(|measured| measured.part(part));
            let (what, note) = (format!("{}, {what}", self.shape), note(&ours, samples));
            rows.push(Row::of(&what, &ours, &netlink).note(&note).goal(Goal::Nanoseconds(0.1 * MILLISECOND)));
            rows.push(Row::of(&what, &ours, &program));
        }
        growth.add(self.shape, "NftablesProxy, one endpoint replaced, p50", Growth::FLAT, nftables.replacements.at(50));
        growth.add(self.shape, "NftablesProxy, one service added, p50", Growth::FLAT, nftables.additions.at(50));
        rows
    }

    fn say(self, what: &str) {
        eprintln!("proxy: {}: {what}", self.shape);
    }
}

/// What changes, how long each took, and what of a round is about it.
type Change<'a> = (&'static str, &'a Samples, fn(&Changes) -> Cost);

fn changes<'a>(of: &'a Subject<'_>) -> [Change<'a>; 2] {
    [
        ("one endpoint replaced", &of.replacements, |changes| changes.replacement),
        ("one service added", &of.additions, |changes| changes.addition),
    ]
}

/// What a row does not tell of ours.
fn note(ours: &Measured, samples: &Samples) -> String {
    let processor = spread(ours.costs.iter().map(|cost| cost.cpu).collect()).1;
    format!("p99 of {} {}, processor time {}", samples.len(), time(samples.at(99)), time(processor))
}

/// Where the programs of iptables are.
fn programs() -> IptablesConfig {
    let command = program("iptables-restore", "iptables");
    let programs = Path::new(command.get_program()).parent().map(Into::into);
    let environment = command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    IptablesConfig { programs, environment: environment.collect(), ..IptablesConfig::default() }
}
