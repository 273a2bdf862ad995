//! What to do about a namespace.

use std::sync::Arc;

use orch_core::client::{ClientError, Grace};
use orch_core::controller::{Action, Plan};
use orch_core::object::{Namespace, NamespacePhase};

use super::{Contents, NamespaceController};

/// Makes the namespace say what it is in: it waits for this controller, or it is being emptied. `None` if it does.
pub(super) fn announce(namespace: &Namespace) -> Result<Option<Plan>, ClientError> {
    let mut new = namespace.clone();
    if namespace.metadata.is_deleting() {
        if namespace.status.phase() != NamespacePhase::Terminating {
            new.status.phase = Some(NamespacePhase::Terminating);
        }
    } else if !is_finalized(namespace) {
        new.metadata.finalizers.push(NamespaceController::FINALIZER.to_owned());
    }
    if new == *namespace {
        return Ok(None);
    }
    let mut plan = Plan::nothing();
    plan.then(Action::update(namespace, new)?);
    Ok(Some(plan))
}

/// Deletes what is in a namespace that is being deleted; when nothing is, lets the namespace go.
pub(super) fn empty(namespace: &Namespace, contents: &Contents) -> Result<Plan, ClientError> {
    let mut plan = Plan::nothing();
    match contents {
        Contents::Seen(objects) => {
            for object in objects.iter().filter(|object| !object.metadata().is_deleting()) {
                plan.then(Action::Delete { object: Arc::clone(object), grace: Grace::Own });
            }
        }
        Contents::None if is_finalized(namespace) => {
            let mut new = namespace.clone();
            new.metadata.finalizers.retain(|finalizer| finalizer != NamespaceController::FINALIZER);
            plan.then(Action::update(namespace, new)?);
        }
        Contents::None | Contents::NotSeenYet => {}
    }
    Ok(plan)
}

fn is_finalized(namespace: &Namespace) -> bool {
    namespace.metadata.finalizers.iter().any(|finalizer| finalizer == NamespaceController::FINALIZER)
}

#[cfg(test)]
mod tests {
    use orch_core::clock::Timestamp;
    use orch_core::kind::AnyObject;
    use orch_core::object::{Pod, Time, Uid};
    use orch_core::revision::Revision;

    use super::*;

    fn namespace(finalizers: &[&str], deleting: bool, phase: Option<NamespacePhase>) -> Namespace {
        let mut namespace = Namespace::default();
        namespace.metadata.name = "shop".to_owned();
        namespace.metadata.uid = Some(Uid::new("1"));
        namespace.metadata.revision = Some(Revision(1));
        namespace.metadata.finalizers = finalizers.iter().map(|&name| name.to_owned()).collect();
        namespace.metadata.deletion_timestamp = deleting.then(|| Time::from(Timestamp::UNIX_EPOCH));
        namespace.status.phase = phase;
        namespace
    }

    fn pod(deleting: bool) -> Arc<dyn AnyObject> {
        let mut pod = Pod::default();
        pod.metadata.deletion_timestamp = deleting.then(|| Time::from(Timestamp::UNIX_EPOCH));
        Arc::new(pod)
    }

    fn told(plan: &Plan) -> Vec<String> {
        let tell = |action: &Action| match action {
            Action::Delete { .. } => "delete".to_owned(),
            Action::Update { object, .. } => {
                let namespace = object.downcast_ref::<Namespace>().expect("a namespace");
                format!("{:?} {}", namespace.status.phase(), namespace.metadata.finalizers.join(","))
            }
            other => format!("{other:?}"),
        };
        plan.actions.iter().map(tell).collect()
    }

    #[test]
    fn a_namespace_waits_for_the_controller_and_then_says_that_it_is_terminating() {
        use NamespacePhase::{Active, Terminating};
        for (finalizers, deleting, phase, expected) in [
            (&[][..], false, None, Some("Active kubernetes")),
            (&["kubernetes"], false, None, None),
            (&["kubernetes"], false, Some(Active), None),
            (&["kubernetes"], true, None, Some("Terminating kubernetes")),
            (&["other"], true, Some(Active), Some("Terminating other")),
            (&["kubernetes"], true, Some(Terminating), None),
        ] {
            let plan = announce(&namespace(finalizers, deleting, phase)).expect("a plan");
            let found = plan.map(|plan| told(&plan).join("; "));
            assert_eq!(found.as_deref(), expected, "{finalizers:?} {deleting} {phase:?}");
        }
    }

    #[test]
    fn a_namespace_goes_when_nothing_is_left_in_it() {
        let terminating = |finalizers| namespace(finalizers, true, Some(NamespacePhase::Terminating));
        let kubernetes = terminating(&["kubernetes", "other"]);
        for (contents, expected) in [
            (Contents::Seen(vec![pod(false), pod(true), pod(false)]), &["delete", "delete"][..]),
            (Contents::Seen(vec![pod(true)]), &[]),
            (Contents::NotSeenYet, &[]),
            (Contents::None, &["Terminating other"]),
        ] {
            assert_eq!(told(&empty(&kubernetes, &contents).expect("a plan")), expected, "{contents:?}");
        }
        assert!(told(&empty(&terminating(&["other"]), &Contents::None).expect("a plan")).is_empty());
    }
}
