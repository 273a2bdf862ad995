//! [`StaticPodController`]: the pods of one node that a folder asks for, without any control plane.

mod folder;
mod plan;
mod source;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use orch_core::controller::{
    Action, Context, Controller, ControllerError, EventType, Plan, Report, Trigger, View, ViewExt as _,
};
use orch_core::key::{Key, KeyError};
use orch_core::kind::Object as _;
use orch_core::object::{Node, Pod};

pub use folder::PodFolder;
use plan::Trouble;
pub use source::{FilePod, PodFile, PodSource, PodSourceError};

/// The annotation that says where a pod is asked for; Kubernetes' own.
pub const CONFIG_SOURCE: &str = "kubernetes.io/config.source";
/// The annotation that a static pod's content is known by; Kubernetes' own. It is the pod's uid as well.
pub const CONFIG_HASH: &str = "kubernetes.io/config.hash";
/// The annotation that names the file, by which a pod is spared while its file is broken.
pub const CONFIG_FILE: &str = "static-pods.orch.dev/file";
/// The source of pods that a file asks for.
const FROM_FILE: &str = "file";

/// How a node follows its folder.
#[derive(Clone, Debug)]
pub struct StaticPodConfig {
    /// The node whose pods they are.
    pub node_name: String,
    /// How often the folder is looked at; every 20 seconds by default, as Kubernetes does.
    pub check_every: Duration,
}

impl StaticPodConfig {
    /// That of a node, with everything else as it is by default.
    #[must_use]
    pub fn new(node_name: impl Into<String>) -> Self {
        Self { node_name: node_name.into(), check_every: Duration::from_secs(20) }
    }
}

/// Makes the pods of one node that a folder asks for: what a kubelet does with `--pod-manifest-path`. Together with the
/// [node agent](crate::node_agent) and a store in memory that is a node without a control plane.
///
/// - A pod gets the node's name behind its own, and is bound to the node. Annotations mark it ([`CONFIG_SOURCE`],
///   [`CONFIG_HASH`], [`CONFIG_FILE`]); nothing without them is ever touched.
/// - Its uid follows from the node, its name and what is asked for. So a store that was lost gets the same pod again,
///   and what runs on the node still belongs to it. Start this controller, and let it look once, before the node's
///   agent, which ends what no pod accounts for.
/// - A file whose content changed: the old pod is ended, and when it is gone the new one is made. Comments, and the name
///   of the file, are no content. A file that is removed: its pods are ended.
/// - A file that is broken, or has a pod that no static pod may be like, or one that another file asks for: its pods go on
///   as they are, and an Event about the node says once what to mend. Of two files that ask for the same pod the first by
///   name is followed. While the folder itself cannot be read, everything goes on.
/// - Somebody who deletes a static pod from the store restarts it.
///
/// That a file is broken is known of the present folder alone, and which pods it had of the store alone: with a store that
/// was lost meanwhile, nothing tells of a pod whose file is broken, and the node's agent ends it.
#[derive(Debug)]
pub struct StaticPodController {
    config: StaticPodConfig,
    node: Key,
    source: Arc<dyn PodSource>,
    /// What was said of the folder as it was last found: the same is not said again.
    told: Mutex<BTreeSet<Trouble>>,
    has_looked: AtomicBool,
}

impl StaticPodController {
    /// Makes the pods that `source` asks for.
    ///
    /// # Errors
    /// [`KeyError`] when the node's name is none.
    pub fn new(config: StaticPodConfig, source: Arc<dyn PodSource>) -> Result<Self, KeyError> {
        let node = Key::new(&Node::KIND, None, &config.node_name)?;
        Ok(Self { config, node, source, told: Mutex::default(), has_looked: AtomicBool::new(false) })
    }

    /// Whether it has decided about what the folder says at least once. That is done when its engine is idle.
    #[must_use]
    pub fn has_looked(&self) -> bool {
        self.has_looked.load(Ordering::Relaxed)
    }

    /// Reports of troubles that are new.
    fn reports(&self, troubles: BTreeSet<Trouble>, view: &dyn View) -> Vec<Action> {
        let uid = view.get::<Node>(&self.node).and_then(|node| node.metadata.uid.clone()).unwrap_or_default();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let new = troubles.difference(&told).map(|trouble| {
            tracing::warn!(node = self.config.node_name, "{}", trouble.message);
            Action::Report(Report {
                kind: &Node::KIND,
                key: self.node.clone(),
                uid: uid.clone(),
                event_type: EventType::Warning,
                reason: trouble.reason,
                message: trouble.message.clone(),
            })
        });
        let reports = new.collect();
        *told = troubles;
        reports
    }
}

#[async_trait]
impl Controller for StaticPodController {
    fn name(&self) -> &'static str {
        "static-pods"
    }

    fn triggers(&self) -> Vec<Trigger> {
        let (node, own_node, name) = (self.node.clone(), self.node.clone(), self.config.node_name.clone());
        vec![
            Trigger::to::<Pod>(move |pod, _| is_static_on(pod, &name).then(|| node.clone()).into_iter().collect()),
            Trigger::to::<Node>(move |node, _| node.key().ok().filter(|key| *key == own_node).into_iter().collect()),
        ]
    }

    /// The node, once: from then on every look asks for the next.
    fn hints(&self) -> BoxStream<'static, Key> {
        let node = self.node.clone();
        stream::once(async { node }).chain(stream::pending()).boxed()
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        if *key != self.node {
            return Ok(Plan::nothing());
        }
        let said = self.source.files().await;
        let pods = context.view.list::<Pod>().into_iter();
        let pods: BTreeMap<Key, Arc<Pod>> = pods.filter_map(|pod| Some((pod.key().ok()?, pod))).collect();
        let decided = plan::plan(&self.config.node_name, &said, &pods)?;
        let mut actions = self.reports(decided.troubles, context.view);
        actions.extend(decided.actions);
        self.has_looked.store(true, Ordering::Relaxed);
        Ok(Plan { actions, revisit_after: Some(self.config.check_every) })
    }
}

/// Whether a folder asked for the pod. Its uid says so, which nobody else can choose, and not its annotations alone.
pub(crate) fn is_static(pod: &Pod) -> bool {
    let hash = pod.metadata.annotations.get(CONFIG_HASH);
    hash.is_some_and(|hash| pod.metadata.uid.as_ref().is_some_and(|uid| uid.as_str() == hash))
}

/// Whether the pod is one that the folder of this node asked for.
fn is_static_on(pod: &Pod, node: &str) -> bool {
    let annotations = &pod.metadata.annotations;
    pod.spec.node_name.as_deref() == Some(node)
        && annotations.get(CONFIG_SOURCE).is_some_and(|source| source == FROM_FILE)
        && annotations.contains_key(CONFIG_HASH)
}
