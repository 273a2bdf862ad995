//! The node agent: makes the pods of one node run.

mod admission;
mod attempts;
mod background;
mod collection;
mod config;
mod crash_loop;
mod downward;
mod effect;
mod environment;
mod eviction;
mod expansion;
mod gauge;
mod hints;
mod hook;
mod http;
mod names;
mod node;
mod observe;
mod parts;
mod plan;
mod pressure;
mod privileges;
mod probe;
mod prober;
mod pull;
mod puller;
mod question;
mod references;
mod relief;
mod status;
mod termination_message;
mod troubles;
mod volumes;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;
use orch_core::client::Grace;
use orch_core::controller::{
    Action, Context, Controller, ControllerError, EventType, Plan, Priority, Report, Trigger, View, ViewExt as _,
};
use orch_core::key::{Key, KeyError};
use orch_core::kind::Object;
use orch_core::object::{ConfigMap, Lease, Node, NodeMetrics, Pod, Secret};
use orch_core::runtime::{PodUid, SandboxStatus};
use orch_core::store::Store;

pub use collection::ImageCollection;
pub use config::{Heartbeat, NodeAgentConfig};
pub use crash_loop::CrashLoopBackoff;
use effect::{
    AskContainers, ClearStray, CreateSandbox, ForgetContainer, Hands, MakeVolumes, PullImages, RemoveImages,
    RemoveSandbox, RemoveVolumes, RunHooks, StartContainer, StopContainers, Told, is_here, key_of, outside,
};
use gauge::{Gauge, Measured};
use hook::Hooks;
pub use names::ClusterDns;
pub use node::LEASE_NAMESPACE;
pub use parts::NodeParts;
use plan::{Found, Look, Step};
pub use pressure::EvictionThresholds;
use prober::Prober;
use puller::Puller;
use relief::{Relief, evicted, relief};
use troubles::Troubles;

/// The agent of one node: makes the pods that are bound to it run on a [`Runtime`](orch_core::runtime::Runtime), tells
/// what becomes of them, and keeps the node's own [`Node`] and [`Lease`].
///
/// Beyond what every controller promises:
///
/// - **No twins**: nothing of a pod is started while anything of an earlier pod of its name is left on the node. An
///   agent that was just started clears the node of everything that no pod in the store accounts for before it starts
///   anything, be the store the old one or an empty one.
/// - **Adoption**: containers that run when the agent starts and belong to a pod of the node go on undisturbed. What is
///   decided about them follows from the pod and the runtime alone: restarts and their waits are counted in attempts.
/// - **Gone means gone**: a pod that is being deleted is removed from the store when nothing of it is left.
/// - **Once**: an init container that has done its work is not run again in the same sandbox, whatever is restarted. In a
///   sandbox that had to be made anew it is, as in Kubernetes.
/// - A stale view starts nothing and ends nothing that it should not: a sandbox is made, and a stray ended, only after
///   a look at the store itself.
///
/// Images are fetched, probes asked and hooks run by tasks that effects start. What they found is memory that may be
/// lost: an agent that was just started fetches and asks again, and runs a hook again of which nobody knows that it has
/// ended. Config maps and secrets are read from the store when they are needed.
///
/// Run it with at least as many workers as the node may have pods, and one more: ending containers takes as long as they
/// take to end, and must not keep the node from showing that it is alive. The tasks end when the agent and the effects
/// that it planned are dropped.
pub struct NodeAgentController {
    config: NodeAgentConfig,
    node: Key,
    lease: Key,
    hands: Arc<Hands>,
    /// Whether nothing is left on the node from before that no pod accounts for.
    settled: AtomicBool,
}

impl NodeAgentController {
    /// The agent of the node that `config` names. From `store` it only reads.
    ///
    /// # Errors
    /// [`KeyError`] when the node's name is none.
    pub fn new(config: NodeAgentConfig, parts: NodeParts, store: Arc<dyn Store>) -> Result<Self, KeyError> {
        let node = Key::new(&Node::KIND, None, &config.node_name)?;
        let lease = Key::new(&Lease::KIND, Some(LEASE_NAMESPACE), &config.node_name)?;
        let NodeParts { runtime, images, volumes, machine } = parts;
        let gauge = machine.clone().map(|machine| {
            Gauge::new(machine, Arc::clone(&runtime), images.clone(), volumes.clone(), config.measure_every)
        });
        let troubles = Arc::<Troubles>::default();
        let hands = Arc::new(Hands {
            node_name: config.node_name.clone(),
            prober: Prober::new(Arc::clone(&runtime), Arc::clone(&troubles)),
            hooks: Hooks::new(Arc::clone(&runtime)),
            puller: images.clone().map(|images| Puller::new(images, config.parallel_pulls)),
            runtime,
            images,
            volumes,
            machine,
            gauge,
            store,
            troubles,
            made: Mutex::new(BTreeMap::new()),
        });
        Ok(Self { config, node, lease, hands, settled: AtomicBool::new(false) })
    }

    async fn reconcile_pod(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        let pod = context.view.get::<Pod>(key).filter(|pod| self.is_bound_here(pod));
        let sandboxes = self.hands.runtime.list().await.map_err(outside)?;
        let strays = self.strays(key, &sandboxes, context.view);
        let uid = pod.as_ref().and_then(|pod| PodUid::try_from(pod.metadata.uid.as_ref()?).ok());
        let sandbox = sandboxes.iter().find(|sandbox| Some(&sandbox.spec.pod) == uid.as_ref());
        let refusal = match (&pod, sandbox) {
            (Some(pod), None) if pod.status.start_time.is_none() => {
                let node = context.view.get::<Node>(&self.node);
                let taken = self.taken(&sandboxes, context.view);
                admission::refusal(pod, &taken, node.as_deref(), &self.config, context.now)
            }
            _ => None,
        };
        let found = match (&pod, &uid) {
            (Some(pod), Some(uid)) => observe::found(pod, uid, sandbox, &self.config, &self.hands).await?,
            _ => Found::default(),
        };
        let decided = plan::plan(Look {
            config: &self.config,
            pod: pod.as_deref(),
            sandbox,
            strays: &strays,
            refusal: refusal.as_ref(),
            found: &found,
            now: context.now,
        });
        let mut plan = Plan { actions: Vec::new(), revisit_after: decided.revisit_after };
        for step in decided.steps {
            plan.actions.extend(self.action(key, pod.as_ref(), step)?);
        }
        Ok(plan)
    }

    fn is_bound_here(&self, pod: &Pod) -> bool {
        pod.spec.node_name.as_ref() == Some(&self.config.node_name)
    }

    /// What must be gone before anything of the pod is started: what is left of earlier pods of its name, and at the
    /// first look, of any pod.
    fn strays(&self, key: &Key, sandboxes: &[SandboxStatus], view: &dyn View) -> Vec<SandboxStatus> {
        let mut strays: Vec<_> =
            sandboxes.iter().filter(|sandbox| self.pod_of(sandbox, view).is_none()).cloned().collect();
        if strays.is_empty() {
            self.settled.store(true, Ordering::Relaxed);
        }
        if self.settled.load(Ordering::Relaxed) {
            strays.retain(|stray| key_of(&stray.spec).as_ref() == Some(key));
        }
        strays
    }

    /// The pod that a sandbox is of, if it exists and is bound to this node.
    fn pod_of(&self, sandbox: &SandboxStatus, view: &dyn View) -> Option<Arc<Pod>> {
        let pod = view.get::<Pod>(&key_of(&sandbox.spec)?)?;
        is_here(&pod, &sandbox.spec.pod, &self.config.node_name).then_some(pod)
    }

    /// The pods that the node has taken on and that have not ended.
    fn taken(&self, sandboxes: &[SandboxStatus], view: &dyn View) -> Vec<Arc<Pod>> {
        let pods = sandboxes.iter().filter_map(|sandbox| self.pod_of(sandbox, view));
        pods.filter(|pod| !pod.status.phase().is_terminal()).collect()
    }

    /// What performs a step; nothing for one about a pod that does not exist.
    fn action(&self, key: &Key, pod: Option<&Arc<Pod>>, step: Step) -> Result<Option<Action>, ControllerError> {
        let hands = Arc::clone(&self.hands);
        let key = key.clone();
        let grace = self.config.stray_grace;
        Ok(Some(match step {
            Step::ClearStray(stray) => Action::Effect(Arc::new(ClearStray { hands, stray, grace })),
            Step::CreateSandbox(spec) => Action::Effect(Arc::new(CreateSandbox { hands, key, spec })),
            Step::MakeVolumes(pod, volumes) => Action::Effect(Arc::new(MakeVolumes { hands, pod, volumes })),
            Step::Pull(pod, pulls) => Action::Effect(Arc::new(PullImages { hands, key, pod, pulls })),
            Step::Start(start) => Action::Effect(Arc::new(StartContainer { hands, start })),
            Step::Hook(pod, hooks) => Action::Effect(Arc::new(RunHooks { hands, key, pod, hooks })),
            Step::Stop(stops) => Action::Effect(Arc::new(StopContainers { hands, stops })),
            Step::Forget(id) => {
                let messages = pod.and_then(|pod| termination_message::volume(pod));
                Action::Effect(Arc::new(ForgetContainer { hands, id, messages }))
            }
            Step::RemoveSandbox(pod) => Action::Effect(Arc::new(RemoveSandbox { hands, pod })),
            Step::RemoveVolumes(pod) => Action::Effect(Arc::new(RemoveVolumes { hands, pod })),
            Step::Ask(pod, inquiries) => Action::Effect(Arc::new(AskContainers { hands, key, pod, inquiries })),
            Step::Told(pod, subjects) => Action::Effect(Arc::new(Told { hands, pod, subjects })),
            Step::Status(status) => {
                let Some(pod) = pod else { return Ok(None) };
                Action::update(&**pod, Pod { status: *status, ..Pod::clone(pod) })?
            }
            Step::Delete => {
                let Some(pod) = pod else { return Ok(None) };
                Action::Delete { object: pod.clone(), grace: Grace::Now }
            }
            Step::Report(event_type, reason, message) => {
                let Some(pod) = pod else { return Ok(None) };
                Action::Report(Report::about(&**pod, event_type, reason, message)?)
            }
        }))
    }

    /// A config map or secret that changed is looked for in the pods of its namespace that run here.
    fn named<T: Object>(&self) -> Trigger {
        let node_name = self.config.node_name.clone();
        Trigger::to::<T>(move |object, view| {
            let metadata = object.metadata();
            let pods = view.list_in::<Pod>(metadata.namespace.as_deref().unwrap_or_default()).unwrap_or_default();
            let here = pods.iter().filter(|pod| pod.spec.node_name.as_ref() == Some(&node_name));
            here.filter(|pod| references::names::<T>(pod, &metadata.name)).filter_map(|pod| pod.key().ok()).collect()
        })
    }

    async fn reconcile_node(&self, context: Context<'_>) -> Result<Plan, ControllerError> {
        let listed = self.hands.runtime.list().await;
        let trouble = listed.as_ref().err().map(ToString::to_string);
        let sandboxes = listed.unwrap_or_default();
        let pods: Vec<Arc<Pod>> = sandboxes.iter().filter_map(|sandbox| self.pod_of(sandbox, context.view)).collect();
        let measured = match &self.hands.gauge {
            Some(gauge) if trouble.is_none() => gauge.measured(&sandboxes, &pods),
            _ => None,
        };
        let mut plan = node::plan(node::Look {
            config: &self.config,
            node: context.view.get::<Node>(&self.node).as_ref(),
            lease: context.view.get::<Lease>(&self.lease).as_ref(),
            metrics: self.metrics(context.view).as_ref(),
            trouble: trouble.as_deref(),
            measured: measured.as_deref(),
            now: context.now,
        })?;
        if let Some(measured) = measured {
            self.relieve(&measured, &pods, &sandboxes, context, &mut plan)?;
        }
        Ok(plan)
    }

    fn metrics(&self, view: &dyn View) -> Option<Arc<NodeMetrics>> {
        view.get::<NodeMetrics>(&Key::new(&NodeMetrics::KIND, None, &self.config.node_name).ok()?)
    }

    /// Gets the node back what it is short of, and what nobody needs.
    fn relieve(
        &self,
        measured: &Measured,
        pods: &[Arc<Pod>],
        sandboxes: &[SandboxStatus],
        context: Context<'_>,
        plan: &mut Plan,
    ) -> Result<(), ControllerError> {
        let hands = || Arc::clone(&self.hands);
        let is_of = |pod: &Pod, uid: &PodUid| is_here(pod, uid, &self.config.node_name);
        let known = |uid: &PodUid| {
            sandboxes.iter().any(|sandbox| sandbox.spec.pod == *uid)
                || context.view.list::<Pod>().iter().any(|pod| is_of(pod, uid))
        };
        for pod in measured.volumes.keys().filter(|uid| !known(uid)).cloned() {
            plan.then(Action::Effect(Arc::new(RemoveVolumes { hands: hands(), pod })));
        }
        match relief(&self.config, measured, pods, sandboxes, context.now) {
            None => {}
            Some(Relief::RemoveImages(ids)) => {
                plan.then(Action::Effect(Arc::new(RemoveImages { hands: hands(), ids })));
            }
            Some(Relief::Evict(pod, why)) => {
                let status = evicted(&pod, &why, &self.config, context.now);
                plan.then(Action::update(&*pod, Pod { status, ..Pod::clone(&pod) })?);
                plan.then(Action::Report(Report::about(&*pod, EventType::Warning, "Evicted", why)?));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Controller for NodeAgentController {
    fn name(&self) -> &'static str {
        "node-agent"
    }

    fn triggers(&self) -> Vec<Trigger> {
        let (name, node, lease) = (self.config.node_name.clone(), self.node.clone(), self.lease.clone());
        let own_node = node.clone();
        vec![
            Trigger::to::<Pod>(move |pod, _| {
                let bound_here = pod.spec.node_name.as_ref() == Some(&name);
                pod.key().ok().filter(|_| bound_here).into_iter().collect()
            }),
            Trigger::to::<Node>(move |object, _| {
                object.key().ok().filter(|key| *key == own_node).into_iter().collect()
            })
            .with_priority(Priority::High),
            Trigger::to::<Lease>(move |object, _| {
                object.key().ok().filter(|key| *key == lease).map(|_| node.clone()).into_iter().collect()
            })
            .with_priority(Priority::High),
            self.named::<ConfigMap>(),
            self.named::<Secret>(),
            // It is looked at with the node, and changes nothing by itself.
            Trigger::to::<NodeMetrics>(|_, _| Vec::new()),
        ]
    }

    fn hints(&self) -> BoxStream<'static, Key> {
        hints::hints(&self.hands, self.node.clone(), self.config.relist_every)
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        if *key == self.node {
            self.reconcile_node(context).await
        } else if key.collection() == Pod::KIND.collection {
            self.reconcile_pod(key, context).await
        } else {
            Ok(Plan::nothing())
        }
    }
}

impl fmt::Debug for NodeAgentController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeAgentController").field("node", &self.config.node_name).finish_non_exhaustive()
    }
}
