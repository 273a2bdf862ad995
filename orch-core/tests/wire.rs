//! Our JSON is Kubernetes' JSON: what we write, its types read and write back unchanged, field for field.

use std::time::Duration;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::api::networking::v1 as networking;
use orch_core::encoding::{from_json, to_json};
use orch_core::kind::Object;
use orch_core::object::{
    AddressType, ConditionStatus, DeploymentStrategyType, DnsPolicy, EventType, HostPathType, ImagePullPolicy,
    LabelSelectorOperator, NamespacePhase, NodeAddressType, NodeMetrics, NodeSelectorOperator, PodCidr, PodMetrics,
    PodPhase, PodQosClass, Protocol, RestartPolicy, ServiceNodePort, ServiceType, SessionAffinity, StorageMedium,
    TaintEffect, TerminationMessagePolicy, TolerationOperator, TrafficPolicy, UriScheme,
};
use orch_testkit::strategy::object as any;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Our JSON → Kubernetes' type → JSON → our type. Kubernetes' types drop fields that they do not know, so equal JSON
/// shows that every name exists there, with our type.
fn assert_same_on_the_wire<T: Object, K: Serialize + DeserializeOwned>(object: &T) -> Result<(), TestCaseError> {
    let ours = to_json(object)?;
    let theirs: K = serde_json::from_slice(&ours)?;
    let back = serde_json::to_vec(&theirs)?;
    prop_assert_eq!(serde_json::from_slice::<Value>(&back)?, serde_json::from_slice::<Value>(&ours)?);
    prop_assert_eq!(&from_json::<T>(&back)?, object);
    Ok(())
}

macro_rules! round_trips {
    ($($name:ident: $strategy:ident as $theirs:ty;)+) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            $(
                #[test]
                fn $name(object in any::$strategy()) {
                    assert_same_on_the_wire::<_, $theirs>(&object)?;
                }
            )+
        }
    };
}

round_trips! {
    a_node_is_kubernetes_node: node as core::Node;
    a_pod_is_kubernetes_pod: pod as core::Pod;
    a_replica_set_is_kubernetes_replica_set: replica_set as apps::ReplicaSet;
    a_deployment_is_kubernetes_deployment: deployment as apps::Deployment;
    a_service_is_kubernetes_service: service as core::Service;
    an_endpoint_slice_is_kubernetes_endpoint_slice: endpoint_slice as discovery::EndpointSlice;
    a_namespace_is_kubernetes_namespace: namespace as core::Namespace;
    an_event_is_kubernetes_event: event as core::Event;
    a_config_map_is_kubernetes_config_map: config_map as core::ConfigMap;
    a_secret_is_kubernetes_secret: secret as core::Secret;
    an_ip_address_is_kubernetes_ip_address: ip_address as networking::IPAddress;
    a_lease_is_kubernetes_lease: lease as coordination::Lease;
}

/// Kubernetes' own types do not have the kinds of the metrics API, so an answer of a metrics server stands for them.
#[test]
fn metrics_are_those_of_the_metrics_api() {
    let usage = json!({"cpu": "115m", "memory": "1Mi"});
    let mut node = json!({
        "apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics", "metadata": {"name": "node-1"},
        "timestamp": "2026-11-22T18:00:00Z", "window": "1m30s", "usage": usage,
    });
    let read = from_json::<NodeMetrics>(node.to_string().as_bytes()).expect("metrics");
    assert_eq!(read.window.0, Duration::from_secs(90));
    assert_eq!(serde_json::from_slice::<Value>(&to_json(&read).expect("JSON")).expect("JSON"), node);
    let fields = node.as_object_mut().expect("an object");
    fields.remove("usage");
    fields.insert("kind".into(), json!("PodMetrics"));
    fields.insert("containers".into(), json!([{"name": "web", "usage": usage}]));
    let read = from_json::<PodMetrics>(node.to_string().as_bytes()).expect("metrics");
    assert_eq!(serde_json::from_slice::<Value>(&to_json(&read).expect("JSON")).expect("JSON"), node);
}

proptest! {
    #[test]
    fn metrics_survive(node in any::node_metrics(), pod in any::pod_metrics()) {
        prop_assert_eq!(from_json::<NodeMetrics>(&to_json(&node)?)?, node);
        prop_assert_eq!(from_json::<PodMetrics>(&to_json(&pod)?)?, pod);
    }
}

proptest! {
    #[test]
    fn what_says_who_has_a_port_or_a_range_survives(port in any::service_node_port(), range in any::pod_cidr()) {
        prop_assert_eq!(from_json::<ServiceNodePort>(&to_json(&port)?)?, port);
        prop_assert_eq!(from_json::<PodCidr>(&to_json(&range)?)?, range);
    }
}

/// Kubernetes' types hold any text where ours hold a choice, so the round trips cannot show that the words are right.
#[test]
fn choices_are_written_with_the_words_of_kubernetes_reference() {
    assert_words::<AddressType>(&["IPv4", "IPv6", "FQDN"]);
    assert_words::<ConditionStatus>(&["True", "False", "Unknown"]);
    assert_words::<DeploymentStrategyType>(&["RollingUpdate", "Recreate"]);
    assert_words::<DnsPolicy>(&["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]);
    assert_words::<EventType>(&["Normal", "Warning"]);
    assert_words::<HostPathType>(&[
        "",
        "DirectoryOrCreate",
        "Directory",
        "FileOrCreate",
        "File",
        "Socket",
        "CharDevice",
        "BlockDevice",
    ]);
    assert_words::<ImagePullPolicy>(&["Always", "IfNotPresent", "Never"]);
    assert_words::<LabelSelectorOperator>(&["In", "NotIn", "Exists", "DoesNotExist"]);
    assert_words::<NamespacePhase>(&["Active", "Terminating"]);
    assert_words::<NodeAddressType>(&["Hostname", "InternalIP", "ExternalIP", "InternalDNS", "ExternalDNS"]);
    assert_words::<NodeSelectorOperator>(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);
    assert_words::<PodPhase>(&["Pending", "Running", "Succeeded", "Failed", "Unknown"]);
    assert_words::<PodQosClass>(&["BestEffort", "Burstable", "Guaranteed"]);
    assert_words::<Protocol>(&["TCP", "UDP", "SCTP"]);
    assert_words::<RestartPolicy>(&["Always", "OnFailure", "Never"]);
    assert_words::<ServiceType>(&["ClusterIP", "NodePort"]);
    assert_words::<SessionAffinity>(&["None", "ClientIP"]);
    assert_words::<StorageMedium>(&["", "Memory"]);
    assert_words::<TaintEffect>(&["NoSchedule", "PreferNoSchedule", "NoExecute"]);
    assert_words::<TerminationMessagePolicy>(&["File", "FallbackToLogsOnError"]);
    assert_words::<TolerationOperator>(&["Equal", "Exists"]);
    assert_words::<TrafficPolicy>(&["Cluster", "Local"]);
    assert_words::<UriScheme>(&["HTTP", "HTTPS"]);
}

/// Checks that the type has exactly these words: those that its refusal of another lists.
fn assert_words<T: Serialize + DeserializeOwned>(words: &[&str]) {
    for word in words {
        let choice: T = serde_json::from_value(Value::from(*word)).expect("a word of Kubernetes");
        assert_eq!(serde_json::to_value(choice).expect("a word"), Value::from(*word));
    }
    let refusal = serde_json::from_value::<T>(Value::from("?")).err().expect("no such word").to_string();
    let listed = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>();
    assert!(refusal.contains(&listed.join(", ")) || refusal.contains(&listed.join(" or ")), "{refusal}");
}
