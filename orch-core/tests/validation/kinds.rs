//! Everything else of pods, and the other kinds.

use orch_core::object::{
    Deployment, EndpointSlice, Event, IpAddress, Lease, Namespace, Node, NodeMetrics, ObjectMeta, Pod, PodCidr,
    PodMetrics, ReplicaSet, Service, ServiceNodePort, validate_metadata,
};
use orch_core::validation::Problems;
use serde_json::{Value, json};

use super::{assert_each_is_refused, assert_each_within_is_refused, deployment, pod, problems_of, service, set};

#[test]
fn a_bad_place_for_a_pod_is_refused() {
    let toleration = |toleration: Value| json!([toleration]);
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec", "spec"),
        vec![
            ("/nodeSelector", json!({"a": "b c"}), ".nodeSelector[\"a\"]", "must be empty or at most 63"),
            ("/nodeName", json!("a/b"), ".nodeName", "must be a DNS subdomain"),
            ("/priorityClassName", json!("a/b"), ".priorityClassName", "must be a DNS subdomain"),
            ("/hostname", json!("a.b"), ".hostname", "must be a DNS label"),
            ("/subdomain", json!("a.b"), ".subdomain", "must be a DNS label"),
            ("/terminationGracePeriodSeconds", json!(-1), ".terminationGracePeriodSeconds", "must be at least 0"),
            ("/activeDeadlineSeconds", json!(0), ".activeDeadlineSeconds", "must be at least 1"),
            ("/tolerations", toleration(json!({})), ".tolerations[0].key", "must be given unless"),
            (
                "/tolerations",
                toleration(json!({"key": "a", "operator": "Exists", "value": "b"})),
                ".tolerations[0].value",
                "must be left out when the operator is Exists",
            ),
            (
                "/tolerations",
                toleration(json!({"key": "a", "tolerationSeconds": 1})),
                ".tolerations[0].tolerationSeconds",
                "must be left out unless the effect is NoExecute",
            ),
        ],
    );
}

#[test]
fn a_bad_node_affinity_is_refused() {
    let required = "/requiredDuringSchedulingIgnoredDuringExecution";
    let terms = ".requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    let (values, fields) = (format!("{terms}[0].matchExpressions[0].values"), format!("{terms}[0].matchFields[0]"));
    let (field_key, field_operator) = (format!("{fields}.key"), format!("{fields}.operator"));
    let label = |operator: &str, values: Value| {
        let requirement = json!({"key": "a", "operator": operator, "values": values});
        json!({"nodeSelectorTerms": [{"matchExpressions": [requirement]}]})
    };
    let field = |key: &str, operator: &str| {
        let requirement = json!({"key": key, "operator": operator, "values": ["n"]});
        json!({"nodeSelectorTerms": [{"matchFields": [requirement]}]})
    };
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/affinity/nodeAffinity", "spec.affinity.nodeAffinity"),
        vec![
            (required, json!({"nodeSelectorTerms": []}), terms, "must hold at least one term"),
            (required, label("In", json!([])), &values, "must hold at least one value for the operator In"),
            (required, label("Exists", json!(["b"])), &values, "must be left out for the operator Exists"),
            (required, label("Gt", json!(["many"])), &values, "must hold exactly one whole number, in quotes,"),
            (required, label("Lt", json!(["1", "2"])), &values, "must hold exactly one whole number, in quotes,"),
            (required, field("spec.x", "In"), &field_key, "must be metadata.name"),
            (required, field("metadata.name", "Exists"), &field_operator, "must be In or NotIn"),
            (
                "/preferredDuringSchedulingIgnoredDuringExecution",
                json!([{"weight": 0, "preference": {}}]),
                ".preferredDuringSchedulingIgnoredDuringExecution[0].weight",
                "must be from 1 to 100, got 0",
            ),
        ],
    );
}

#[test]
fn a_bad_deployment_is_refused() {
    let labels = ".template.metadata.labels";
    let expression = |key: &str, operator: &str| json!([{"key": key, "operator": operator, "values": ["a", "b"]}]);
    let template = ".template.spec";
    let deadline = format!("{template}.activeDeadlineSeconds");
    let policy = format!("{template}.restartPolicy");
    let rolling = "/strategy/rollingUpdate";
    let (surge, missing) = (".strategy.rollingUpdate.maxSurge", ".strategy.rollingUpdate.maxUnavailable");
    let recreate = json!({"type": "Recreate", "rollingUpdate": {}});
    assert_each_within_is_refused::<Deployment>(
        &deployment(),
        ("/spec", "spec"),
        vec![
            ("/replicas", json!(-1), ".replicas", "must be at least 0, got -1"),
            ("/selector", json!({}), ".selector", "must not be empty"),
            ("/template/metadata/labels/app", json!("api"), labels, "must have the label app: web, as spec.selector"),
            ("/template/metadata/labels", json!({}), labels, "must have the label app: web"),
            ("/selector/matchExpressions", expression("tier", "In"), labels, "must meet tier In [a, b]"),
            (
                "/selector/matchExpressions",
                expression("app", "Exists"),
                ".selector.matchExpressions[0].values",
                "must be left out for the operator Exists",
            ),
            ("/template/spec/restartPolicy", json!("Never"), &policy, "must be Always in a template, got Never"),
            ("/template/spec/activeDeadlineSeconds", json!(5), &deadline, "must be left out of a template"),
            (rolling, json!({"maxSurge": 0, "maxUnavailable": "0%"}), missing, "must not be 0 when maxSurge is 0"),
            (rolling, json!({"maxSurge": "lots"}), surge, "must be a number or a percentage"),
            (rolling, json!({"maxUnavailable": -1}), missing, "must be at least 0"),
            (rolling, json!({"maxUnavailable": "101%"}), missing, "must be at most 100%"),
            ("/strategy", recreate, ".strategy.rollingUpdate", "must be left out when the type is Recreate"),
            ("/progressDeadlineSeconds", json!(0), ".progressDeadlineSeconds", "must be more than minReadySeconds"),
            ("/revisionHistoryLimit", json!(-1), ".revisionHistoryLimit", "must be at least 0"),
        ],
    );
    let rows = vec![
        ("/minReadySeconds", json!(-1), ".minReadySeconds", "must be at least 0"),
        ("/selector", json!({}), ".selector", "must not be empty"),
    ];
    assert_each_within_is_refused::<ReplicaSet>(&deployment(), ("/spec", "spec"), rows);
}

#[test]
fn a_bad_service_is_refused() {
    let cases = [("/metadata/name", json!("a.b"), "metadata.name", "must be a DNS label")];
    assert_each_is_refused::<Service>(&service(), &cases);
    assert_each_within_is_refused::<Service>(
        &service(),
        ("/spec", "spec"),
        vec![
            ("/ports", json!([]), ".ports", "must hold at least one port"),
            ("/ports/0/port", json!(0), ".ports[0].port", "must be from 1 to 65535"),
            ("/ports/0/port", json!(81), ".ports[1].port", "must differ"),
            ("/ports/0/name", json!("admin"), ".ports[1].name", "must differ"),
            ("/ports/0/name", json!(null), ".ports[0].name", "must be given when there are several ports"),
            ("/ports/0/targetPort", json!("a--b"), ".ports[0].targetPort", "must be at most 15"),
            ("/ports/0/nodePort", json!(30000), ".ports[0].nodePort", "must be left out unless the type is NodePort"),
            ("/clusterIP", json!("10.0.0"), ".clusterIP", "must be an IP address, or None"),
            ("/clusterIPs", json!(["10.0.0.1"]), ".clusterIPs", "must begin with clusterIP"),
            ("/selector", json!({"-": ""}), ".selector[\"-\"]", "must be a name such as"),
            ("/externalTrafficPolicy", json!("Local"), ".externalTrafficPolicy", "must be left out unless"),
            ("/sessionAffinityConfig", json!({}), ".sessionAffinityConfig", "must be left out unless"),
        ],
    );
    let mut sticky = service();
    set(&mut sticky, "/spec/sessionAffinity", json!("ClientIP"));
    let config = json!({"clientIP": {"timeoutSeconds": 0}});
    let path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
    assert_each_is_refused::<Service>(&sticky, &[("/spec/sessionAffinityConfig", config, path, "must be from 1 to")]);
    let mut open = service();
    set(&mut open, "/spec/type", json!("NodePort"));
    set(&mut open, "/spec/ports/0/nodePort", json!(30000));
    let cases = [
        ("/spec/ports/1/nodePort", json!(30000), "spec.ports[1].nodePort", "must differ"),
        ("/spec/clusterIP", json!("None"), "spec.clusterIP", "must not be None when the type is NodePort"),
    ];
    assert_each_is_refused::<Service>(&open, &cases);
}

#[test]
fn a_bad_endpoint_slice_is_refused() {
    let slice = json!({
        "metadata": {"name": "web-1"}, "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.0.1"]}], "ports": [{"name": "http", "port": 80}],
    });
    let many = json!(vec![json!({"addresses": ["10.1.0.1"]}); 1001]);
    assert_each_is_refused::<EndpointSlice>(
        &slice,
        &[
            ("/endpoints", many, "endpoints", "must hold at most 1000"),
            ("/endpoints/0/addresses", json!([]), "endpoints[0].addresses", "must hold 1 to 100"),
            ("/endpoints/0/addresses/0", json!("::1"), "endpoints[0].addresses[0]", "must be an IPv4 address"),
            ("/addressType", json!("IPv6"), "endpoints[0].addresses[0]", "must be an IPv6 address"),
            ("/ports/0/port", json!(0), "ports[0].port", "must be from 1 to 65535"),
            ("/ports/0/name", json!("A"), "ports[0].name", "must be a DNS label"),
            ("/ports", json!([{}, {}]), "ports[1].name", "must differ"),
        ],
    );
}

#[test]
fn a_bad_node_namespace_event_or_lease_is_refused() {
    let taint = |key: &str| json!({"key": key, "effect": "NoSchedule"});
    assert_each_is_refused::<Node>(
        &json!({"metadata": {"name": "n"}}),
        &[
            ("/spec/podCIDR", json!("10.1.0.0"), "spec.podCIDR", "must be a range"),
            ("/spec/podCIDRs", json!(["10.1.0.0/33"]), "spec.podCIDRs[0]", "must be a range"),
            ("/spec", json!({"podCIDR": "::/8", "podCIDRs": ["::/9"]}), "spec.podCIDR", "must be the first of"),
            ("/spec/taints", json!([taint("")]), "spec.taints[0].key", "must be a name"),
            ("/spec/taints", json!([taint("a"), taint("a")]), "spec.taints[1]", "must differ"),
            ("/status/capacity", json!({"cpu": "-1"}), "status.capacity[\"cpu\"]", "must not be negative"),
        ],
    );
    assert_each_is_refused::<Namespace>(
        &json!({"metadata": {"name": "shop"}}),
        &[
            ("/metadata/name", json!("a.b"), "metadata.name", "must be a DNS label"),
            ("/spec/finalizers", json!(["a b"]), "spec.finalizers[0]", "must be a name"),
        ],
    );
    assert_each_is_refused::<Event>(
        &json!({"metadata": {"name": "e", "namespace": "shop"}, "involvedObject": {"namespace": "shop"}}),
        &[
            ("/involvedObject/namespace", json!("other"), "involvedObject.namespace", "must be the namespace"),
            ("/count", json!(-1), "count", "must be at least 0"),
        ],
    );
    let cases = [
        ("/spec/leaseDurationSeconds", json!(0), "spec.leaseDurationSeconds", "must be at least 1"),
        ("/spec/leaseTransitions", json!(-1), "spec.leaseTransitions", "must be at least 0"),
    ];
    assert_each_is_refused::<Lease>(&json!({"metadata": {"name": "l"}}), &cases);
    let parent = json!({"resource": "services", "namespace": "shop", "name": "web"});
    assert_each_is_refused::<IpAddress>(
        &json!({"metadata": {"name": "fd00::7"}, "spec": {"parentRef": parent}}),
        &[
            ("/metadata/name", json!("10.1"), "metadata.name", "must be an address in its canonical form"),
            ("/spec/parentRef/name", json!(""), "spec.parentRef.name", "must be given"),
        ],
    );
    assert_each_is_refused::<ServiceNodePort>(
        &json!({"metadata": {"name": "30080"}, "spec": {"parentRef": parent}}),
        &[("/metadata/name", json!("030080"), "metadata.name", "must be the number of a port")],
    );
    let range = json!({"cidr": "10.1.2.0/24", "nodeName": "node-1"});
    assert_each_is_refused::<PodCidr>(
        &json!({"metadata": {"name": "10.1.2.0-24"}, "spec": range}),
        &[
            ("/metadata/name", json!("a"), "metadata.name", "must be \"10.1.2.0-24\""),
            ("/spec/cidr", json!("10.1.2.0"), "spec.cidr", "must be a range"),
            ("/spec/nodeName", json!(""), "spec.nodeName", "must be given"),
        ],
    );
    let (time, less) = ("2026-11-22T18:00:00Z", json!({"cpu": "-1"}));
    assert_each_is_refused::<NodeMetrics>(
        &json!({"metadata": {"name": "n"}, "timestamp": time, "window": "30s"}),
        &[("/usage", less.clone(), "usage[\"cpu\"]", "must not be negative")],
    );
    assert_each_is_refused::<PodMetrics>(
        &json!({"metadata": {"name": "p"}, "timestamp": time, "window": "30s", "containers": [{"name": "a"}]}),
        &[("/containers/0/usage", less, "containers[0].usage[\"cpu\"]", "must not be negative")],
    );
}

#[test]
fn bad_metadata_is_refused() {
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1", "controller": true});
    let nobody = json!({"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": ""});
    let long = "x".repeat(256 * 1024);
    for (bad, path, words) in [
        (json!({}), "name", "must be given, for example"),
        (json!({"name": "A"}), "name", "must be a DNS subdomain"),
        (json!({"name": "a", "namespace": "b.c"}), "namespace", "must be a DNS label"),
        (json!({"name": "a", "labels": {"a/b/c": ""}}), "labels[\"a/b/c\"]", "must be a name such as"),
        (json!({"name": "a", "labels": {"/b": ""}}), "labels[\"/b\"]", "must be a name such as"),
        (json!({"name": "a", "labels": {"b": "x".repeat(64)}}), "labels[\"b\"]", "must be empty or at most 63"),
        (json!({"name": "a", "annotations": {"b": long}}), "annotations", "must have at most 262144 bytes"),
        (json!({"name": "a", "annotations": {"b c": ""}}), "annotations[\"b c\"]", "must be a name such as"),
        (json!({"name": "a", "finalizers": [""]}), "finalizers[0]", "must be a name such as"),
        (json!({"name": "a", "ownerReferences": [owner, owner]}), "ownerReferences", "must hold at most one owner"),
        (json!({"name": "a", "ownerReferences": [nobody]}), "ownerReferences[0].uid", "must not be empty"),
    ] {
        let metadata: ObjectMeta = serde_json::from_value(bad).expect("metadata");
        let mut problems = Problems::default();
        validate_metadata(&metadata, &mut problems);
        let found = problems.into_result().expect_err("bad metadata").to_string();
        assert!(found.starts_with(&format!("{path}: {words}")), "{found}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let mut bad = deployment();
    set(&mut bad, "/spec/replicas", json!(-1));
    set(&mut bad, "/spec/template/spec/containers/0/name", json!(""));
    let problems = problems_of::<Deployment>(bad);
    assert!(problems.starts_with("spec.replicas: "), "{problems}");
    assert!(problems.contains("; spec.template.spec.containers[0].name: must be a DNS label"), "{problems}");
}

#[test]
fn an_unknown_word_is_refused_with_the_allowed_ones() {
    let mut bad = pod();
    set(&mut bad, "/spec/restartPolicy", json!("Sometimes"));
    let error = serde_json::from_value::<Pod>(bad).expect_err("no such policy").to_string();
    assert_eq!(error, "unknown variant `Sometimes`, expected one of `Always`, `OnFailure`, `Never`");
}
