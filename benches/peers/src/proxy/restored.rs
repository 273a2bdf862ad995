//! [`Restored`]: a node with rules that `iptables-restore` made, and no proxy.

use super::node::{Node, run};
use crate::measure::{Cost, Measured, cost_with_children};

/// A node with rules that `iptables-restore` made, and no proxy.
pub struct Restored {
    pub node: Node,
    load: Measured,
}

impl Restored {
    /// A new node, and these rules on it, one portion after another.
    pub fn new(name: &str, arguments: &[&str], portions: &[String]) -> Self {
        let load = Measured { name: name.to_owned(), costs: Vec::new() };
        let mut restored = Self { node: Node::new(), load };
        let costs = portions.iter().map(|rules| restored.restore(arguments, rules));
        let (wall, cpu) = costs.fold((0.0, 0.0), |(wall, cpu), cost| (wall + cost.wall, cpu + cost.cpu));
        restored.load.costs.push(Cost { wall, cpu });
        restored
    }

    /// What it cost to make the rules.
    pub fn load(&self) -> &Measured {
        &self.load
    }

    /// Writes rules.
    pub fn restore(&self, arguments: &[&str], rules: &str) -> Cost {
        self.node.on(|| cost_with_children(1, || run("iptables-restore", arguments, rules)))
    }
}
