//! What deployments go through.

use std::sync::Arc;

use orch_core::controller::Controller;
use orch_core::kind::Object;
use orch_core::object::{
    Deployment, DeploymentSpec, DeploymentStrategy, DeploymentStrategyType, Pod, ReplicaSet, RollingUpdateDeployment,
};

use super::{key, metadata, pod, selector, template};
use crate::fault::{Cluster, GarbageCollector, Kubelet, Scenario, Step, System};

/// What every pod of the story can run, except this, which never becomes ready.
const BROKEN: &str = "shop/web:broken";

/// Stories of a controller of deployments together with one of replica sets. Each is made with empty memory.
pub fn deployment<D, R>(deployments: D, replica_sets: R) -> Vec<Scenario>
where
    D: Fn() -> Arc<dyn Controller> + Clone + Send + Sync + 'static,
    R: Fn() -> Arc<dyn Controller> + Clone + Send + Sync + 'static,
{
    let story = |name| {
        let (deployments, replica_sets) = (deployments.clone(), replica_sets.clone());
        let scenario = Scenario::new(name, move |_| {
            System::new()
                .controller(deployments.clone())
                .controller(replica_sets.clone())
                .actor(Kubelet::with(|pod| image(pod) != BROKEN))
                .actor(GarbageCollector::<Deployment, ReplicaSet>::new())
                .actor(GarbageCollector::<ReplicaSet, Pod>::new())
        });
        let plain = web(2, rolling_update(1, 0));
        scenario
            .bystander(pod("lookalike", "other"))
            .invalid(Deployment {
                spec: DeploymentSpec { selector: selector("x"), ..plain.spec.clone() },
                ..plain.clone()
            })
            .invalid(Deployment { spec: DeploymentSpec::default(), ..plain })
    };
    vec![
        rolling(story("deployment: rolling update, and back")),
        stalled(story("deployment: a version that never becomes ready")),
        recreate(story("deployment: recreate")),
        paused(story("deployment: paused, scaled and resumed")),
        history(story("deployment: short history, then deleted")),
    ]
}

fn rolling(story: Scenario) -> Scenario {
    story
        .object(web(3, rolling_update(1, 0)))
        .always("a rollout must leave all pods available", |cluster| available_in_rollout(cluster, 3))
        .always("there may be one pod more than asked for", |cluster| live_at_most(cluster, 4))
        .step(roll_to("shop/web:2"))
        .step(roll_to("shop/web:1"))
}

fn stalled(story: Scenario) -> Scenario {
    let mut deployment = web(2, rolling_update(0, 1));
    deployment.spec.progress_deadline_seconds = Some(60);
    story
        .object(deployment)
        .always("a rollout must leave one pod available", |cluster| available_in_rollout(cluster, 1))
        .always("there may be no more pods than asked for", |cluster| live_at_most(cluster, 2))
        .step(roll_to(BROKEN))
        .step(roll_to("shop/web:2"))
}

fn recreate(story: Scenario) -> Scenario {
    let strategy = DeploymentStrategy { r#type: Some(DeploymentStrategyType::Recreate), rolling_update: None };
    story
        .object(web(2, strategy))
        .always("old and new pods may not be there at the same time", one_version)
        .step(roll_to("shop/web:2"))
}

fn paused(story: Scenario) -> Scenario {
    let half_way = |cluster: &Cluster| {
        let pods = cluster.list::<Pod>();
        pods.iter().any(|pod| image(pod) == "shop/web:2" && pod.status.is_ready())
    };
    story
        .object(web(2, rolling_update(1, 1)))
        .step(roll_to("shop/web:2"))
        .step(change("pause", |spec| spec.paused = true).as_soon_as(half_way))
        .step(change("scale to 5", |spec| spec.replicas = Some(5)))
        .step(change("resume", |spec| spec.paused = false))
}

fn history(story: Scenario) -> Scenario {
    let mut deployment = web(1, rolling_update(1, 0));
    deployment.spec.revision_history_limit = Some(1);
    story
        .object(deployment)
        .step(roll_to("shop/web:2"))
        .step(roll_to("shop/web:3"))
        .step(change("scale to 0", |spec| spec.replicas = Some(0)))
        .step(Step::delete::<Deployment>(&key::<Deployment>("web")))
}

fn web(replicas: i32, strategy: DeploymentStrategy) -> Deployment {
    let spec = DeploymentSpec {
        replicas: Some(replicas),
        selector: selector("web"),
        template: template("web", "shop/web:1"),
        strategy,
        ..DeploymentSpec::default()
    };
    Deployment { metadata: metadata("web", "web"), spec, ..Deployment::default() }
}

fn rolling_update(max_surge: i32, max_unavailable: i32) -> DeploymentStrategy {
    let rolling =
        RollingUpdateDeployment { max_surge: Some(max_surge.into()), max_unavailable: Some(max_unavailable.into()) };
    DeploymentStrategy { r#type: None, rolling_update: Some(rolling) }
}

fn roll_to(image: &'static str) -> Step {
    change(&format!("roll to {image}"), move |spec| {
        spec.template.spec.containers[0].image = Some(image.to_owned());
    })
}

fn change(words: &str, change: impl Fn(&mut DeploymentSpec) + Send + Sync + 'static) -> Step {
    Step::update::<Deployment>(words, &key::<Deployment>("web"), move |deployment| change(&mut deployment.spec))
}

fn image(pod: &Pod) -> &str {
    pod.spec.containers.first().and_then(|container| container.image.as_deref()).unwrap_or("")
}

/// The pods of the deployment that are not being deleted.
fn live(cluster: &Cluster) -> Vec<Arc<Pod>> {
    let ours = |pod: &Arc<Pod>| pod.metadata.labels.get("app").is_some_and(|app| app == "web");
    cluster.list::<Pod>().into_iter().filter(|pod| ours(pod) && !pod.metadata.is_deleting()).collect()
}

fn live_at_most(cluster: &Cluster, most: usize) -> Result<(), String> {
    let found = live(cluster).len();
    if found <= most { Ok(()) } else { Err(format!("there are {found}")) }
}

/// Counts from the first rollout on: before it, pods have yet to come up.
fn available_in_rollout(cluster: &Cluster, least: usize) -> Result<(), String> {
    let first = cluster.get::<Deployment>(&key::<Deployment>("web"));
    let rolled = first.is_some_and(|deployment| Object::metadata(&*deployment).generation > Some(1));
    let available = live(cluster).iter().filter(|pod| pod.status.is_ready()).count();
    if !rolled || available >= least { Ok(()) } else { Err(format!("{available} are")) }
}

fn one_version(cluster: &Cluster) -> Result<(), String> {
    let pods = cluster.list::<Pod>();
    let mut images: Vec<&str> =
        pods.iter().filter(|pod| pod.metadata.name.starts_with("web-")).map(|pod| image(pod)).collect();
    images.sort_unstable();
    images.dedup();
    if images.len() <= 1 { Ok(()) } else { Err(format!("there are {images:?}")) }
}
