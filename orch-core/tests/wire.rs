//! Our JSON is Kubernetes' JSON: what we write, its types read and write back unchanged, field for field.

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use orch_core::encoding::{from_json, to_json};
use orch_core::kind::Object;
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
