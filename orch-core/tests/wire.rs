//! Our JSON is Kubernetes' JSON: what we write, its types read and write back unchanged, field for field.

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use orch_core::encoding::{from_json, to_json};
use orch_core::kind::Object;
use orch_core::object::{
    AddressType, ConditionStatus, DeploymentStrategyType, EventType, LabelSelectorOperator, NamespacePhase,
    NodeAddressType, NodeSelectorOperator, PodPhase, Protocol, RestartPolicy, ServiceType, SessionAffinity,
    TaintEffect, TolerationOperator, TrafficPolicy, UriScheme,
};
use orch_testkit::strategy::object as any;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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
    a_lease_is_kubernetes_lease: lease as coordination::Lease;
}

/// Kubernetes' types hold any text where ours hold a choice, so the round trips cannot show that the words are right.
#[test]
fn choices_are_written_with_the_words_of_kubernetes_reference() {
    assert_words::<AddressType>(&["IPv4", "IPv6", "FQDN"]);
    assert_words::<ConditionStatus>(&["True", "False", "Unknown"]);
    assert_words::<DeploymentStrategyType>(&["RollingUpdate", "Recreate"]);
    assert_words::<EventType>(&["Normal", "Warning"]);
    assert_words::<LabelSelectorOperator>(&["In", "NotIn", "Exists", "DoesNotExist"]);
    assert_words::<NamespacePhase>(&["Active", "Terminating"]);
    assert_words::<NodeAddressType>(&["Hostname", "InternalIP", "ExternalIP", "InternalDNS", "ExternalDNS"]);
    assert_words::<NodeSelectorOperator>(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);
    assert_words::<PodPhase>(&["Pending", "Running", "Succeeded", "Failed", "Unknown"]);
    assert_words::<Protocol>(&["TCP", "UDP", "SCTP"]);
    assert_words::<RestartPolicy>(&["Always", "OnFailure", "Never"]);
    assert_words::<ServiceType>(&["ClusterIP", "NodePort"]);
    assert_words::<SessionAffinity>(&["None", "ClientIP"]);
    assert_words::<TaintEffect>(&["NoSchedule", "PreferNoSchedule", "NoExecute"]);
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
