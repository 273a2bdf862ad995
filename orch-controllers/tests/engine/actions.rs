//! Reports become Events.

use std::sync::Arc;
use std::time::Duration;

use orch_core::controller::{Action, EventType, Plan, Report, ViewExt as _};
use orch_core::key::Prefix;
use orch_core::kind::Object;
use orch_core::object::{Event, Namespace};
use orch_core::store::StoreExt as _;

use crate::subject::{ClosureController, Cluster, pass, settle};

fn reporter() -> ClosureController {
    ClosureController::new(|key, context| {
        let mut plan = Plan::nothing();
        if let Some(namespace) = context.view.get::<Namespace>(key) {
            let message = "there is no room left";
            plan.then(Action::Report(Report::about(&*namespace, EventType::Warning, "NoRoom", message)?));
        }
        Ok(plan)
    })
}

async fn events(cluster: &Cluster) -> Vec<Arc<Event>> {
    cluster.store.inner.list_as::<Event>(&Prefix::collection(&Event::KIND)).await.expect("events can be listed").0
}

#[tokio::test(start_paused = true)]
async fn the_same_report_is_one_event_that_counts() {
    let cluster = Cluster::new();
    let _engine = cluster.engine().controller(Arc::new(reporter())).start().expect("it starts");
    for name in ["shop", "farm"] {
        cluster.create_namespace(name).await;
    }
    settle().await;
    for _ in 0..2 {
        cluster.touch("shop").await;
        settle().await;
    }
    let mut told: Vec<_> = events(&cluster).await;
    told.sort_by_key(|event| event.count);
    let [farm, shop] = &told[..] else { panic!("two events, not {}", told.len()) };
    assert_eq!((farm.count, shop.count), (Some(1), Some(3)));
    assert_eq!(shop.involved_object.name.as_deref(), Some("shop"));
    assert_eq!((shop.reason.as_deref(), shop.message.as_deref()), (Some("NoRoom"), Some("there is no room left")));
    assert_eq!(shop.metadata.namespace.as_deref(), Some("default"), "a namespace lives in none");
    assert_eq!(shop.reporting_component.as_deref(), Some("closure"));
    assert!(shop.metadata.name.starts_with("shop."));
}

#[tokio::test(start_paused = true)]
async fn reports_about_one_object_are_held_back_and_still_counted() {
    let cluster = Cluster::new();
    let engine = cluster.engine().controller(Arc::new(reporter())).start().expect("it starts");
    cluster.create_namespace("shop").await;
    settle().await;
    let before = cluster.store.inner.history().len();
    for _ in 0..100 {
        cluster.touch("shop").await;
        settle().await;
    }
    let writes = cluster.store.inner.history().len() - before - 100;
    assert!(writes < 30, "{writes} writes of events");
    pass(Duration::from_secs(10)).await;
    cluster.touch("shop").await;
    settle().await;
    assert_eq!(events(&cluster).await[0].count, Some(102));
    assert!(engine.is_idle());
}
