//! The node agent: makes the pods of one node run.

mod admission;
mod attempts;
mod config;
mod crash_loop;
mod effect;
mod environment;
mod expansion;
mod hints;
mod http;
mod node;
mod plan;
mod probe;
mod prober;
mod status;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use orch_core::client::Grace;
use orch_core::controller::{
    Action, Context, Controller, ControllerError, EventType, Plan, Priority, Report, Trigger, View, ViewExt as _,
};
use orch_core::key::{Key, KeyError};
use orch_core::kind::Object as _;
use orch_core::object::{Lease, Node, Pod};
use orch_core::runtime::{PodUid, Runtime, SandboxStatus};
use orch_core::store::Store;

pub use config::{Heartbeat, NodeAgentConfig};
pub use crash_loop::CrashLoopBackoff;
use effect::{
    AskContainers, ClearStray, CreateSandbox, ForgetContainer, Hands, RemoveSandbox, StartContainer, StopContainers,
    is_here, key_of, outside,
};
pub use node::LEASE_NAMESPACE;
use plan::{Look, Step};
use prober::Prober;

/// The agent of one node: makes the pods that are bound to it run on a [`Runtime`], tells what becomes of them, and keeps
/// the node's own [`Node`] and [`Lease`].
///
/// Beyond what every controller promises:
///
/// - **No twins**: nothing of a pod is started while anything of an earlier pod of its name is left on the node. An
///   agent that was just started clears the node of everything that no pod in the store accounts for before it starts
///   anything, be the store the old one or an empty one.
/// - **Adoption**: containers that run when the agent starts and belong to a pod of the node go on undisturbed. What is
///   decided about them follows from the pod and the runtime alone: restarts and their waits are counted in attempts.
/// - **Gone means gone**: a pod that is being deleted is removed from the store when nothing of it is left.
/// - A stale view starts nothing and ends nothing that it should not: a sandbox is made, and a stray ended, only after
///   a look at the store itself.
///
/// Run it with at least as many workers as the node may have pods, and one more: ending containers takes as long as they
/// take to end, and must not keep the node from showing that it is alive. Effects start tasks that probe; they end
/// when the agent and the effects that it planned are dropped.
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
    pub fn new(config: NodeAgentConfig, runtime: Arc<dyn Runtime>, store: Arc<dyn Store>) -> Result<Self, KeyError> {
        let node = Key::new(&Node::KIND, None, &config.node_name)?;
        let lease = Key::new(&Lease::KIND, Some(LEASE_NAMESPACE), &config.node_name)?;
        let prober = Prober::new(Arc::clone(&runtime));
        let hands = Arc::new(Hands { node_name: config.node_name.clone(), runtime, store, prober });
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
                admission::refusal(pod, &self.taken(&sandboxes, context.view), &self.config)
            }
            _ => None,
        };
        let decided = plan::plan(Look {
            config: &self.config,
            pod: pod.as_deref(),
            sandbox,
            strays: &strays,
            verdicts: &uid.map(|uid| self.hands.prober.verdicts(&uid)).unwrap_or_default(),
            refusal: refusal.as_ref(),
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
            Step::Start(id, spec) => Action::Effect(Arc::new(StartContainer { hands, id, spec })),
            Step::Stop(stops) => Action::Effect(Arc::new(StopContainers { hands, stops })),
            Step::Forget(id) => Action::Effect(Arc::new(ForgetContainer { hands, id })),
            Step::RemoveSandbox(pod) => Action::Effect(Arc::new(RemoveSandbox { hands, pod })),
            Step::Ask(pod, inquiries) => Action::Effect(Arc::new(AskContainers { hands, key, pod, inquiries })),
            Step::Status(status) => {
                let Some(pod) = pod else { return Ok(None) };
                Action::update(&**pod, Pod { status: *status, ..Pod::clone(pod) })?
            }
            Step::Delete => {
                let Some(pod) = pod else { return Ok(None) };
                Action::Delete { object: pod.clone(), grace: Grace::Now }
            }
            Step::Killing(why) => {
                let Some(pod) = pod else { return Ok(None) };
                Action::Report(Report::about(&**pod, EventType::Normal, "Killing", why)?)
            }
        }))
    }

    async fn reconcile_node(&self, context: Context<'_>) -> Result<Plan, ControllerError> {
        let trouble = self.hands.runtime.list().await.err().map(|error| error.to_string());
        let node = context.view.get::<Node>(&self.node);
        let lease = context.view.get::<Lease>(&self.lease);
        node::plan(&self.config, node.as_ref(), lease.as_ref(), trouble.as_deref(), context.now)
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
