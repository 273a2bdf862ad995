use orch_core::clock::Timestamp;
use orch_core::object::Time;
use orch_core::revision::Revision;
use serde_json::json;

use super::super::FilePod;
use super::*;

const NODE: &str = "node-1";

fn asked(name: &str, image: &str) -> Pod {
    let spec = json!({"containers": [{"name": "web", "image": image}]});
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).expect("a pod")
}

/// A file with pods, each by name and image.
fn file(name: &str, pods: &[(&str, &str)]) -> PodFile {
    let pods = pods.iter().enumerate();
    let pods = pods.map(|(index, (name, image))| FilePod { line: index * 10 + 1, pod: asked(name, image) });
    PodFile { name: name.to_owned(), pods: Ok(pods.collect()) }
}

fn broken(name: &str) -> PodFile {
    PodFile { name: name.to_owned(), pods: Err(PodSourceError::Empty) }
}

/// The pod in the store that a file has made.
fn running(file: &str, name: &str, image: &str) -> Pod {
    let wanted = Wanted::new(file, &FilePod { line: 1, pod: asked(name, image) }, NODE).expect("a pod");
    let mut pod = wanted.pod;
    pod.metadata.uid = Some(wanted.uid);
    pod.metadata.revision = Some(Revision(7));
    pod
}

fn deleting(mut pod: Pod) -> Pod {
    pod.metadata.deletion_timestamp = Some(Time::from(Timestamp::UNIX_EPOCH));
    pod
}

fn decide(files: Result<Vec<PodFile>, PodSourceError>, pods: Vec<Pod>) -> Decided {
    let pods = pods.into_iter().map(|pod| (orch_core::kind::Object::key(&pod).expect("a key"), Arc::new(pod)));
    plan(NODE, &files, &pods.collect()).expect("a plan")
}

fn told(decided: &Decided) -> Vec<String> {
    let tell = |action: &Action| match action {
        Action::CreateAs { object, uid } => {
            let pod = object.downcast_ref::<Pod>().expect("a pod");
            assert_eq!(annotation(pod, CONFIG_HASH), Some(uid.as_str()));
            format!("create {} {}", pod.metadata.name, pod.spec.containers[0].image.clone().unwrap_or_default())
        }
        Action::Delete { object, .. } => format!("delete {}", object.metadata().name),
        Action::Update { object, .. } => {
            let pod = object.downcast_ref::<Pod>().expect("a pod");
            format!("{} is now of {}", pod.metadata.name, annotation(pod, CONFIG_FILE).unwrap_or_default())
        }
        other => format!("{other:?}"),
    };
    decided.actions.iter().map(tell).collect()
}

fn troubles(decided: &Decided) -> Vec<&'static str> {
    decided.troubles.iter().map(|trouble| trouble.reason).collect()
}

#[test]
fn what_the_folder_asks_for_is_made_and_what_it_does_not_is_ended() {
    let web = || file("web.yaml", &[("web", "web:1")]);
    for (files, pods, expected) in [
        (vec![], vec![], &[][..]),
        (vec![web()], vec![], &["create web-node-1 web:1"]),
        (vec![web()], vec![running("web.yaml", "web", "web:1")], &[]),
        (vec![web()], vec![running("web.yaml", "web", "web:0")], &["delete web-node-1"]),
        (vec![web()], vec![deleting(running("web.yaml", "web", "web:0"))], &[]),
        (vec![web()], vec![deleting(running("web.yaml", "web", "web:1"))], &[]),
        (vec![web()], vec![running("old.yaml", "web", "web:1")], &["web-node-1 is now of web.yaml"]),
        (vec![], vec![running("web.yaml", "web", "web:1")], &["delete web-node-1"]),
        (vec![], vec![deleting(running("web.yaml", "web", "web:1"))], &[]),
        (
            vec![file("all.yaml", &[("web", "web:2"), ("db", "db:1")])],
            vec![running("all.yaml", "web", "web:1"), running("all.yaml", "log", "log:1")],
            &["delete log-node-1", "delete web-node-1", "create db-node-1 db:1"],
        ),
    ] {
        let decided = decide(Ok(files), pods);
        assert_eq!(told(&decided), expected);
        assert!(decided.troubles.is_empty(), "{:?}", decided.troubles);
    }
}

#[test]
fn pods_of_a_broken_file_go_on_and_all_do_while_the_folder_cannot_be_read() {
    let pods = || vec![running("web.yaml", "web", "web:1"), running("db.yaml", "db", "db:1")];
    let decided = decide(Ok(vec![broken("web.yaml")]), pods());
    assert_eq!((told(&decided), troubles(&decided)), (vec!["delete db-node-1".to_owned()], vec!["FailedReadingFile"]));
    let trouble = decided.troubles.first().expect("one").message.clone();
    assert!(trouble.starts_with("web.yaml: it holds no pod: write one into it"), "{trouble}");
    let decided = decide(Err(PodSourceError::TooManyFiles { limit: 3 }), pods());
    assert_eq!((told(&decided), troubles(&decided)), (vec![], vec!["FailedReadingFolder"]));
}

#[test]
fn a_file_with_a_pod_that_may_not_be_is_not_followed_in_anything() {
    let mut bad = file("web.yaml", &[("db", "db:1"), ("web", "web:2")]);
    if let Ok(pods) = &mut bad.pods {
        pods[1].pod.metadata.finalizers.push("example.org/wait".to_owned());
    }
    let decided = decide(Ok(vec![bad]), vec![running("web.yaml", "web", "web:1")]);
    assert_eq!((told(&decided), troubles(&decided)), (vec![], vec!["NotAStaticPod"]));
    let trouble = decided.troubles.first().expect("one").message.clone();
    assert!(trouble.starts_with("web.yaml: line 11: Pod web: metadata.finalizers: "), "{trouble}");
}

#[test]
fn of_two_files_with_one_pod_the_first_by_name_is_followed() {
    let files = || Ok(vec![file("b.yaml", &[("web", "web:2"), ("db", "db:1")]), file("a.yaml", &[("web", "web:1")])]);
    let decided = decide(files(), vec![]);
    assert_eq!((told(&decided), troubles(&decided)), (vec!["create web-node-1 web:1".to_owned()], vec![DUPLICATE]));
    let trouble = decided.troubles.first().expect("one").message.clone();
    assert!(
        trouble.starts_with("b.yaml: line 1: Pod web: already asked for by a.yaml: line 1: Pod web: "),
        "{trouble}"
    );
    let of_b = vec![running("b.yaml", "web", "web:2"), running("b.yaml", "db", "db:0")];
    assert_eq!(told(&decide(files(), of_b)), ["delete web-node-1"], "its other pods go on");
    let both = Ok(vec![broken("a.yaml"), file("b.yaml", &[("web", "web:2")])]);
    let of_a = vec![running("a.yaml", "web", "web:1")];
    assert_eq!(told(&decide(both, of_a)), [""; 0], "the pod of a file that is about to be mended");
    let within = decide(Ok(vec![file("a.yaml", &[("web", "web:1"), ("web", "web:2")])]), vec![]);
    assert_eq!((told(&within), troubles(&within)), (vec![], vec![DUPLICATE]));
}

#[test]
fn pods_of_others_are_left_alone_and_a_name_that_is_taken_is_told() {
    let mut users = running("web.yaml", "web", "web:1");
    users.metadata.annotations.clear();
    let mut elsewhere = running("db.yaml", "db", "db:1");
    elsewhere.spec.node_name = Some("node-2".to_owned());
    let files = vec![file("web.yaml", &[("web", "web:1")]), file("db.yaml", &[("db", "db:1")])];
    let decided = decide(Ok(files), vec![users.clone(), elsewhere.clone()]);
    assert_eq!((told(&decided), troubles(&decided)), (vec![], vec!["NameTaken", "NameTaken"]));
    let none = decide(Ok(vec![]), vec![users, elsewhere]);
    assert_eq!((told(&none), troubles(&none)), (vec![], vec![]));
}

#[test]
fn a_deletion_depends_on_the_very_pod_that_was_seen() {
    let decided = decide(Ok(vec![]), vec![running("web.yaml", "web", "web:1")]);
    let [Action::Delete { object, .. }] = &decided.actions[..] else { panic!("{:?}", decided.actions) };
    let on = orch_core::client::Precondition::of(&**object).expect("it was stored");
    let expected = running("web.yaml", "web", "web:1").metadata.uid;
    assert_eq!((Some(on.uid), on.revision), (expected, Revision(7)));
}
