//! One node without a control plane: its folder is edited, and it is killed and started again.

use std::collections::BTreeSet;
use std::fs;

use crate::harness::{Place, Up, get};

/// The pod of the manifest that is shipped. `drain` tells one version from another.
fn web(place: &Place, drain: u32) -> String {
    let (plain, token) = ("[k8s-like, hello-web, --text, hello]", &place.token);
    let text = include_str!("../../manifests/static-web.yaml");
    assert!(text.contains(plain), "the place to change is there");
    text.replace(plain, &format!("[k8s-like, hello-web, --text, {token}, --drain, '{drain}']"))
}

fn write(place: &Place, manifest: &str) {
    fs::write(place.static_pods().join("web.yaml"), manifest).expect("the manifest is written");
}

/// Waits until the pod is ready, and checks that it answers. Its one process.
fn answers(place: &Place, node: &mut Up) -> BTreeSet<i32> {
    let line = node.hears(&["pod default/web-node-1 is ready at "]);
    let (_, address) = line.rsplit_once(' ').expect("as heard");
    let answer = get(&format!("{address}:8080")).expect("a pod that is ready answers");
    assert_eq!(answer, format!("{} from web-node-1", place.token));
    let running = place.processes();
    assert_eq!(running.len(), 1, "{running:?}");
    running
}

fn uid(place: &Place) -> String {
    let pod: serde_json::Value =
        serde_json::from_str(&place.ask(&["get", "pods", "web-node-1", "-o", "json"])).expect("JSON");
    pod["metadata"]["uid"].as_str().expect("a uid").to_owned()
}

#[test]
fn a_folder_of_manifests_is_a_node_that_is_edited_broken_killed_and_stopped() {
    let place = Place::new("static");
    write(&place, &web(&place, 10));
    let mut node = place.node();
    let first = answers(&place, &mut node);

    write(&place, &web(&place, 20));
    node.hears(&["pod default/web-node-1 is gone"]);
    let second = answers(&place, &mut node);
    assert!(first.is_disjoint(&second), "another process for another content");

    write(&place, &web(&place, 30).replace("command", "comand"));
    node.hears(&["warning: node node-1: FailedReadingFile: web.yaml: line ", "comand", "did you mean \"command\"?"]);
    assert_eq!(place.processes(), second, "the pod of a file that is broken goes on");

    write(&place, &web(&place, 20));
    let before = uid(&place);
    node.crash();
    assert_eq!(place.processes(), second, "containers survive the agent");
    let mut node = place.node();
    assert_eq!(answers(&place, &mut node), second, "the same process is the pod's again");
    assert_eq!(uid(&place), before);

    assert!(place.ask(&["get", "pods"]).contains("web-node-1"));
    assert_eq!(place.ask(&["exec", "web-node-1", "--", "echo", "inside"]).trim(), "inside");
    assert!(place.ask(&["logs", "web-node-1"]).contains("listening"));
    assert!(place.ask(&["top", "pods"]).contains("web-node-1"));

    fs::remove_file(place.static_pods().join("web.yaml")).expect("removed");
    node.hears(&["pod default/web-node-1 is gone"]);
    assert_eq!(place.processes(), BTreeSet::new());

    write(&place, &web(&place, 10));
    answers(&place, &mut node);
    node.stop();
    place.assert_nothing_runs();
}

#[test]
fn what_changed_while_no_node_ran_is_found_and_there_is_no_twin() {
    let place = Place::new("static-down");
    write(&place, &web(&place, 10));
    let mut node = place.node();
    let first = answers(&place, &mut node);
    node.crash();
    write(&place, &web(&place, 20));
    let mut node = place.node();
    node.hears(&["1 pods still run and go on"]);
    assert!(answers(&place, &mut node).is_disjoint(&first));
    node.stop();
    place.assert_nothing_runs();
}

#[test]
fn without_its_folder_a_node_does_not_start_and_what_runs_goes_on() {
    let place = Place::new("static-none");
    let folder = place.static_pods();
    write(&place, &web(&place, 10));
    let mut node = place.node();
    let running = answers(&place, &mut node);
    node.crash();
    let aside = folder.with_extension("aside");
    fs::rename(&folder, &aside).expect("moved");
    let mut none = place.node();
    none.hears(&["static-pods", "No such file or directory"]);
    assert_eq!(none.ended(), Some(1));
    assert_eq!(place.processes(), running);
    // Nor are they anybody else's.
    place.write("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
    let mut up = place.up();
    up.hears(&["1 pods still run from this state folder", "`k8s-like node`"]);
    assert_eq!(up.ended(), Some(1));
    assert_eq!(place.processes(), running);
    fs::rename(&aside, &folder).expect("moved");
    let mut node = place.node();
    assert_eq!(answers(&place, &mut node), running);
    node.stop();
    place.assert_nothing_runs();
}
