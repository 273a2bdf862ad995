//! [`AllocatorError`]: why an allocator did not do as it was told.

use super::{FrameworkId, NodeName, OfferId, Role};

/// Why an allocator did not do as it was told. Nothing has changed then, but that an offer which was answered is no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AllocatorError {
    /// There is no such offer, or no more.
    #[error("there is no offer {0}: it was answered, rescinded or never made; wait for the next one")]
    UnknownOffer(OfferId),
    /// There is no such framework.
    #[error("there is no framework {0}: put it first")]
    UnknownFramework(FrameworkId),
    /// There is no such node.
    #[error("there is no node {0}: put it first")]
    UnknownNode(NodeName),
    /// The framework is not in the role.
    #[error("framework {framework} is not in the role {role}: put it with this role first")]
    NotInRole {
        /// Which framework.
        framework: FrameworkId,
        /// Which role.
        role: Role,
    },
    /// No offer was named.
    #[error("no offer is accepted: name at least one")]
    NoOffers,
    /// Offers that are accepted together differ.
    #[error("offers {one} and {other} are of different nodes, frameworks or roles: accept them one by one")]
    OffersDiffer {
        /// One of them.
        one: OfferId,
        /// Another.
        other: OfferId,
    },
    /// More is wanted than there is.
    #[error("{wanted} is wanted, of which {missing} is not there: {available} is")]
    Insufficient {
        /// What is wanted.
        wanted: String,
        /// What of it is not there.
        missing: String,
        /// What is there.
        available: String,
    },
    /// Resources would become more, less, or something of another name.
    #[error("\"{from}\" cannot become \"{to}\": give the same amounts of the same names")]
    NotConserved {
        /// What there is.
        from: String,
        /// What it would become.
        to: String,
    },
    /// Somebody else was first: the node is not any more as it was offered.
    #[error(
        "node {node} has changed since offer {offer} was made: {missing} is not there any more; wait for the next offer"
    )]
    Conflict {
        /// The offer.
        offer: OfferId,
        /// The node.
        node: NodeName,
        /// What is missing.
        missing: String,
    },
    /// What is asked for would exceed the role's limit, or take what is kept for others.
    #[error("role {role} would have more {resource} than its quota and those of others allow: ask for less")]
    OverQuota {
        /// Which role.
        role: Role,
        /// Of what.
        resource: String,
    },
    /// A weight is none.
    #[error("the weight of a role is above zero, not {0}")]
    BadWeight(String),
    /// A quota cannot be.
    #[error("{role} cannot have this quota: {problem}")]
    BadQuota {
        /// Whose.
        role: Role,
        /// What is wrong, and what to do.
        problem: String,
        /// Whether it could be forced.
        can_be_forced: bool,
    },
}
