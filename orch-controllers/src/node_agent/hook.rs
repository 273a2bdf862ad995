//! [`Hook`] and [`Hooks`]: what is done right after the start of a container.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use orch_core::key::Key;
use orch_core::runtime::{ContainerId, PodUid, Runtime};

use super::background::Background;
use super::question::{Answer, Question};

/// The longest that a hook may take. Kubernetes has no such limit, and a hook that hangs keeps its pod for ever.
const LONGEST: Duration = Duration::from_secs(3600);

/// Something to be done in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    pub(super) id: ContainerId,
    pub(super) question: Question,
}

/// What has come of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HookState {
    Running,
    Done,
    /// Why not.
    Failed(String),
}

/// Does what is to be done right after the start of containers, in the background. Dropped, it does no more.
#[derive(Debug)]
pub(super) struct Hooks {
    runtime: Arc<dyn Runtime>,
    hooks: Background<ContainerId, HookState>,
}

impl Hooks {
    pub(super) fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self { runtime, hooks: Background::new() }
    }

    /// What has come of the hooks of the pod's containers.
    pub(super) fn states(&self, pod: &PodUid) -> BTreeMap<ContainerId, HookState> {
        self.hooks.states(pod)
    }

    /// From now on, exactly these hooks are done, each once.
    pub(super) fn run(&self, pod: &PodUid, key: &Key, hooks: &[Hook]) {
        self.hooks.retain(pod, |id, _| hooks.iter().any(|hook| hook.id == *id));
        for hook in hooks {
            let (runtime, hook) = (Arc::clone(&self.runtime), hook.clone());
            self.hooks.begin(&hook.id.clone(), key, HookState::Running, |teller| async move {
                teller.tell(match hook.question.put(&*runtime, &hook.id, LONGEST).await {
                    Answer::Good => HookState::Done,
                    Answer::Bad(message) => HookState::Failed(message),
                    Answer::None(error) => HookState::Failed(error.to_string()),
                });
            });
        }
    }

    /// Nothing more is done in the pod's containers.
    pub(super) fn forget(&self, pod: &PodUid) {
        self.hooks.retain(pod, |_, _| false);
    }

    /// The keys of pods of which a hook has ended, for ever.
    pub(super) fn changes(&self) -> BoxStream<'static, Key> {
        self.hooks.news()
    }
}
