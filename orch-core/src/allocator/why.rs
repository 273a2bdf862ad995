//! [`WhyNoOffer`]: why a framework got no offer.

use std::collections::BTreeMap;
use std::fmt;

use super::{FrameworkId, Role};
use crate::clock::Timestamp;

/// Why a framework got no offer, role by role: every node counts once in each.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyNoOffer {
    /// Which framework.
    pub framework: FrameworkId,
    /// How many offers it has that it has not answered.
    pub outstanding: usize,
    /// Its roles.
    pub roles: Vec<WhyNoOfferInRole>,
}

/// Why a framework got no offer in a role.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyNoOfferInRole {
    /// Which role.
    pub role: Role,
    /// How many nodes there are.
    pub nodes: usize,
    /// How many of them stand against it for which reason, the most first.
    pub obstacles: Vec<(Obstacle, usize)>,
}

/// What stands between a framework and a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Obstacle {
    /// Nothing: it has an offer of it.
    HasOffer,
    /// Nothing: it is offered in the next round, unless somebody with a lesser share wants it.
    Due,
    /// The framework is not connected.
    FrameworkInactive,
    /// The framework wants no offers in this role.
    Suppressed,
    /// The node is disconnected or drained.
    NodeInactive,
    /// The framework cannot deal with what the node is: it lacks this capability.
    Incapable(&'static str),
    /// All of it is used or offered.
    NothingFree,
    /// What is free is reserved for others, or revocable.
    NotForIt,
    /// What it might have is too little to be offered.
    TooLittle,
    /// It has refused what it might have, until then.
    Refused(Timestamp),
    /// Its role is at its limit.
    Limit,
    /// What is free is kept for the guarantees of others.
    KeptForGuarantees,
}

impl WhyNoOfferInRole {
    /// Counts obstacles, one a node.
    #[must_use]
    pub fn count(role: Role, obstacles: impl IntoIterator<Item = Obstacle>) -> Self {
        let mut counts: BTreeMap<Obstacle, usize> = BTreeMap::new();
        let mut nodes = 0;
        for obstacle in obstacles {
            // One sentence for all that was refused: until the first of it is not any more.
            let known = match &obstacle {
                Obstacle::Refused(until) => {
                    let other = counts.keys().find(|known| matches!(known, Obstacle::Refused(_))).cloned();
                    let count = other.and_then(|other| Some((counts.remove(&other)?, other)));
                    count.map(|(count, other)| {
                        let first = match other {
                            Obstacle::Refused(other) => other.min(*until),
                            _ => *until,
                        };
                        (Obstacle::Refused(first), count)
                    })
                }
                _ => None,
            };
            let (obstacle, count) = known.unwrap_or((obstacle, 0));
            *counts.entry(obstacle).or_default() += count + 1;
            nodes += 1;
        }
        let mut obstacles: Vec<_> = counts.into_iter().collect();
        obstacles.sort_by_key(|(_, nodes)| std::cmp::Reverse(*nodes));
        Self { role, nodes, obstacles }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HasOffer => f.write_str("offered to it: answer those offers"),
            Self::Due => f.write_str("due in the next round, unless a framework with a lesser share wants them"),
            Self::FrameworkInactive => f.write_str("not offered, as the framework is not connected: let it subscribe"),
            Self::Suppressed => f.write_str("not offered, as the framework suppressed the role: let it revive"),
            Self::NodeInactive => f.write_str("disconnected or drained: wait, or activate them"),
            Self::Incapable(capability) => write!(f, "only for frameworks with the capability {capability}"),
            Self::NothingFree => f.write_str("without anything free: wait for tasks to end, or add nodes"),
            Self::NotForIt => f.write_str("with nothing free but what is reserved for other roles, or revocable"),
            Self::TooLittle => f.write_str("with less free than the least that is offered"),
            Self::Refused(until) => write!(f, "refused by it until {until} or later: revive to see them before"),
            Self::Limit => f.write_str("not offered, as the role is at its limit: raise its quota"),
            Self::KeptForGuarantees => f.write_str("kept free for what other roles are guaranteed"),
        }
    }
}

impl fmt::Display for WhyNoOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has {} offers outstanding", self.framework, self.outstanding)?;
        if self.roles.is_empty() {
            f.write_str("; it is in no role: subscribe it to one")?;
        }
        for WhyNoOfferInRole { role, nodes, obstacles } in &self.roles {
            write!(f, "; of {nodes} nodes in the role {role}:")?;
            for (index, (obstacle, nodes)) in obstacles.iter().enumerate() {
                let separator = if index == 0 { " " } else { "; " };
                write!(f, "{separator}{nodes} {obstacle}")?;
            }
            if *nodes == 0 {
                f.write_str(" add one")?;
            }
        }
        Ok(())
    }
}
