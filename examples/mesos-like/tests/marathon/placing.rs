//! Constraints on real agents, and what is said of apps that find no place.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::client::{Marathon, Token, until_run};

/// How many instances of an app are on each agent, and whether that is so.
type Spread = fn(&[usize; 3]) -> bool;

/// Of an app: its constraint, how many instances it wants, how many of them find a place, and where they are. The agents are
/// in the racks r1, r0 and r1, and are numbered.
const APPS: &[(&str, &[&str], u32, usize, Spread)] = &[
    ("unique", &["hostname", "UNIQUE"], 4, 3, |on| on == &[1, 1, 1]),
    ("cluster-of", &["rack", "CLUSTER", "r0"], 2, 2, |on| on == &[0, 2, 0]),
    ("cluster", &["rack", "CLUSTER"], 4, 4, |on| on[1] == 4 || on[1] == 0),
    ("group-by-rack", &["rack", "GROUP_BY", "2"], 4, 4, |on| on[1] == 2),
    ("group-by-host", &["@hostname", "GROUP_BY", "3"], 6, 6, |on| on == &[2, 2, 2]),
    ("like", &["number", "LIKE", "[12]"], 3, 3, |on| on[2] == 0),
    ("unlike", &["rack", "UNLIKE", "r1"], 2, 2, |on| on == &[0, 2, 0]),
    ("unlike-absent", &["gpu", "UNLIKE", ".*"], 1, 1, |on| on.iter().sum::<usize>() == 1),
    ("like-absent", &["gpu", "LIKE", ".*"], 1, 0, |on| on == &[0, 0, 0]),
    ("max-per", &["rack", "MAX_PER", "1"], 3, 2, |on| on[1] == 1),
    ("is", &["number", "IS", "2.0004"], 2, 2, |on| on == &[0, 2, 0]),
];

fn on_agents(tasks: &[Value]) -> [usize; 3] {
    [1, 2, 3].map(|number| tasks.iter().filter(|task| task["host"] == format!("agent-{number}")).count())
}

/// Of a summary: each reason that refused something, how many it refused, and of how many.
fn refusals(summary: &Value) -> BTreeMap<String, (u64, u64)> {
    let count = |reason: &Value, name: &str| reason[name].as_u64().expect("a count");
    let all = summary.as_array().expect("a list").iter().filter(|reason| count(reason, "declined") > 0);
    all.map(|reason| {
        let name = reason["reason"].as_str().expect("a name").to_owned();
        (name, (count(reason, "declined"), count(reason, "processed")))
    })
    .collect()
}

#[tokio::test]
async fn instances_are_where_their_constraint_lets_them_and_the_others_wait_for_it() {
    let marathon = Marathon::of("constraints", 3).await;
    let mut tokens = Vec::new();
    for (id, constraint, instances, ..) in APPS {
        let token = Token::new();
        marathon.add(id, &token, &json!({ "instances": instances, "constraints": [constraint] }));
        tokens.push(token);
    }
    for ((id, _, instances, placed, is_it), token) in APPS.iter().zip(&tokens) {
        until_run(token, *placed).await;
        let on = on_agents(&marathon.tasks(id));
        assert!(is_it(&on), "{id}: {on:?}");
        if usize::try_from(*instances).expect("few") == *placed {
            continue;
        }
        let waits = marathon
            .until_queued(&format!("/{id}"), "refused by its constraint", |waiting| {
                let last = refusals(&waiting["processedOffersSummary"]["rejectSummaryLastOffers"]);
                last.keys().eq(["UnfulfilledConstraint"])
            })
            .await;
        assert_eq!(waits["count"], u64::from(*instances) - *placed as u64, "{waits}");
        assert_eq!(waits["delay"], json!({ "overdue": true, "timeLeftSeconds": 0 }));
    }
    let are_left = |all: &Value| all.as_array().map(Vec::len) == Some(3);
    marathon.until("/v2/deployments", "that wait, and no others", are_left).await;
}

#[tokio::test]
async fn an_app_that_fits_nowhere_says_which_rule_refused_how_many_offers() {
    let marathon = Marathon::of("nowhere", 3).await;
    let (large, foreign) = (Token::new(), Token::new());
    marathon.add("large", &large, &json!({ "cpus": 50, "constraints": [["rack", "LIKE", "r1"]] }));
    marathon.add("foreign", &foreign, &json!({ "acceptedResourceRoles": ["others"] }));
    let waits = marathon
        .until_queued("/large", "refused by two rules", |waiting| {
            let last = refusals(&waiting["processedOffersSummary"]["rejectSummaryLastOffers"]);
            last == [("InsufficientCpus".to_owned(), (2, 2)), ("UnfulfilledConstraint".to_owned(), (1, 3))].into()
        })
        .await;
    let summary = &waits["processedOffersSummary"];
    let all = refusals(&summary["rejectSummaryLaunchAttempt"]);
    let refused: u64 = all.values().map(|(declined, _)| declined).sum();
    assert_eq!(
        (summary["processedOffersCount"].as_u64(), summary["unusedOffersCount"].as_u64()),
        (Some(refused), Some(refused))
    );
    assert_eq!(all["UnfulfilledConstraint"].1, refused);
    assert!(summary["lastUnusedOfferAt"].is_string() && summary["lastUsedOfferAt"].is_null());
    let offers = waits["lastUnusedOffers"].as_array().expect("a list");
    assert!(offers.iter().any(|offer| offer["offer"]["hostname"] == "agent-2"), "{offers:?}");
    marathon
        .until_queued("/foreign", "refused by its role", |waiting| {
            let last = refusals(&waiting["processedOffersSummary"]["rejectSummaryLastOffers"]);
            last.keys().eq(["UnfulfilledRole"])
        })
        .await;
    // What makes it fit starts it.
    marathon.done("PUT", "/v2/apps/large?force=true", &json!({ "cpus": 1 }));
    marathon.done("PUT", "/v2/apps/foreign?force=true", &json!({ "acceptedResourceRoles": ["*"] }));
    marathon.settled().await;
    assert_eq!((until_run(&large, 1).await.len(), until_run(&foreign, 1).await.len()), (1, 1));
    assert_eq!(marathon.get("/v2/queue"), json!({ "queue": [] }));
}
