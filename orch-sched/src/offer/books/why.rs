//! Why a framework got no offer.

use orch_core::allocator::{AllocatorError, FrameworkId, Obstacle, WhyNoOffer, WhyNoOfferInRole};
use orch_core::clock::Timestamp;

use super::Books;
use super::nodes::NodeEntry;
use super::portion::{Short, Stage};

impl Books {
    pub(crate) fn why_no_offer(&self, id: &FrameworkId) -> Result<WhyNoOffer, AllocatorError> {
        let entry = self.framework(id)?;
        let mut roles = Vec::new();
        let mut outstanding = 0;
        for (role, client) in &entry.clients {
            outstanding += self.client(*client).offers.len();
            if !entry.framework.roles.contains_key(role) {
                continue;
            }
            let until = self.refused_until(*client);
            let obstacle = |(number, node)| {
                let until = until.get(&number).copied().unwrap_or(self.now);
                self.obstacle(*client, number, node, until)
            };
            roles.push(WhyNoOfferInRole::count(role.clone(), self.nodes.iter().map(obstacle)));
        }
        Ok(WhyNoOffer { framework: id.clone(), outstanding, roles })
    }

    /// What stands between the client and the node, where it refuses what it has refused of it until `until`.
    fn obstacle(&self, client: u32, number: u32, node: &NodeEntry, until: Timestamp) -> Obstacle {
        let offered = |place: &u32| self.offers.at(*place).is_some_and(|offer| offer.client == client);
        if node.offers.iter().any(offered) {
            return Obstacle::HasOffer;
        }
        let entry = self.framework_of(client);
        if !entry.active {
            return Obstacle::FrameworkInactive;
        }
        if !self.is_wanting(client) {
            return Obstacle::Suppressed;
        }
        if !node.active {
            return Obstacle::NodeInactive;
        }
        if let Some(capability) = self.lacking(client, number) {
            return Obstacle::Incapable(capability);
        }
        let Some(free) = &node.free else { return Obstacle::NothingFree };
        let (role, can) = (self.client(client).role, entry.framework.capabilities);
        let guaranteed = self.portion(role, can, free, Stage::Guarantees);
        match guaranteed.or_else(|_| self.portion(role, can, free, Stage::Rest)) {
            Err(Short::NotForIt) => Obstacle::NotForIt,
            Err(Short::Limit) => Obstacle::Limit,
            Err(Short::Kept) => Obstacle::KeptForGuarantees,
            Ok(portion) if !self.is_enough(client, &portion) => Obstacle::TooLittle,
            Ok(portion) if self.is_refused(client, number, &portion) => Obstacle::Refused(until),
            Ok(_) => Obstacle::Due,
        }
    }
}
