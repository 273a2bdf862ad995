//! `/why-no-offers`: what stands between frameworks and agents. Mesos has nothing of the kind.

use orch_core::allocator::{WhyNoOffer, WhyNoOfferInRole};
use serde_json::{Value, json};

/// Frameworks, and for each of their roles how many agents are not offered for which reason.
pub(super) fn shown(all: &[WhyNoOffer]) -> Value {
    json!({ "frameworks": all.iter().map(framework).collect::<Vec<_>>() })
}

fn framework(why: &WhyNoOffer) -> Value {
    json!({
        "id": why.framework.as_str(),
        "outstanding_offers": why.outstanding,
        "roles": why.roles.iter().map(role).collect::<Vec<_>>(),
    })
}

fn role(why: &WhyNoOfferInRole) -> Value {
    let reason = |(obstacle, agents): &(orch_core::allocator::Obstacle, usize)| json!({"agents": agents, "reason": obstacle.to_string()});
    json!({
        "role": why.role.as_str(),
        "agents": why.nodes,
        "reasons": why.obstacles.iter().map(reason).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use orch_core::allocator::{FrameworkId, Obstacle, Role};

    use super::*;

    #[test]
    fn each_reason_is_shown_with_the_number_of_agents() {
        let obstacles = [Obstacle::NothingFree, Obstacle::Limit, Obstacle::NothingFree];
        let roles = vec![WhyNoOfferInRole::count(Role::default(), obstacles)];
        let why = WhyNoOffer { framework: FrameworkId::new("M-0000"), outstanding: 0, roles };
        let shown = shown(&[why]);
        let role = &shown["frameworks"][0]["roles"][0];
        assert_eq!(
            (&role["role"], &role["agents"], &role["reasons"][0]["agents"]),
            (&json!("*"), &json!(3), &json!(2))
        );
        assert!(role["reasons"][1]["reason"].as_str().is_some_and(|reason| reason.contains("quota")), "{role}");
    }
}
