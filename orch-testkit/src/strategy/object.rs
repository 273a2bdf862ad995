//! Objects of every kind with every field, present and absent.
//!
//! Each field is well formed by itself, but fields need not agree with one another: a selector may miss its template.
//! That is what tests of encodings and stores want. A struct that gains a field does not compile here until the field
//! is generated.

use orch_core::object::*;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::field::*;
use super::pod::*;
strategies! {
    /// Any node.
    pub fn node() -> Node { metadata: metadata(), spec: node_spec(), status: node_status() }

    /// Any pod.
    pub fn pod() -> Pod { metadata: metadata(), spec: pod_spec(), status: pod_status() }

    /// Any replica set.
    pub fn replica_set() -> ReplicaSet {
        metadata: metadata(), spec: replica_set_spec(), status: replica_set_status(),
    }

    /// Any deployment.
    pub fn deployment() -> Deployment {
        metadata: metadata(), spec: deployment_spec(), status: deployment_status(),
    }

    /// Any service.
    pub fn service() -> Service { metadata: metadata(), spec: service_spec(), status: service_status() }

    /// Any endpoint slice.
    pub fn endpoint_slice() -> EndpointSlice {
        metadata: metadata(),
        address_type: select(vec![AddressType::Ipv4, AddressType::Ipv6, AddressType::Fqdn]),
        endpoints: few(endpoint()),
        ports: few(endpoint_port()),
    }

    /// Any namespace.
    pub fn namespace() -> Namespace { metadata: metadata(), spec: namespace_spec(), status: namespace_status() }

    /// Any event.
    pub fn event() -> Event {
        metadata: metadata(),
        involved_object: object_reference(),
        reason: of(word()),
        message: of(text()),
        source: event_source(),
        first_timestamp: of(time()),
        last_timestamp: of(time()),
        count: of(number()),
        r#type: of(select(vec![EventType::Normal, EventType::Warning])),
        event_time: of(micro_time()),
        action: of(word()),
        reporting_component: of(name()),
        reporting_instance: of(name()),
    }

    /// Any lease.
    pub fn lease() -> Lease { metadata: metadata(), spec: lease_spec() }

    /// Any address and who has it.
    pub fn ip_address() -> IpAddress { metadata: metadata(), spec: ip_address_spec() }

    pub(super) fn ip_address_spec() -> IpAddressSpec { parent_ref: parent_reference() }

    /// Any node port and who has it.
    pub fn service_node_port() -> ServiceNodePort { metadata: metadata(), spec: service_node_port_spec() }

    pub(super) fn service_node_port_spec() -> ServiceNodePortSpec { parent_ref: parent_reference() }

    pub(super) fn parent_reference() -> ParentReference {
        group: of(word()), resource: word(), namespace: of(name()), name: name(),
    }

    /// Any range of pod addresses and which node has it.
    pub fn pod_cidr() -> PodCidr { metadata: metadata(), spec: pod_cidr_spec() }

    pub(super) fn pod_cidr_spec() -> PodCidrSpec { cidr: cidr(), node_name: name() }

    /// Any config map.
    pub fn config_map() -> ConfigMap {
        metadata: metadata(),
        data: btree_map(config_key(), text(), 0..3),
        binary_data: btree_map(config_key(), bytes(), 0..3),
        immutable: any::<bool>(),
    }

    /// Any secret.
    pub fn secret() -> Secret {
        metadata: metadata(),
        r#type: of(key()),
        data: btree_map(config_key(), bytes(), 0..3),
        string_data: btree_map(config_key(), text(), 0..3),
        immutable: any::<bool>(),
    }

    /// Any metrics of a node.
    pub fn node_metrics() -> NodeMetrics {
        metadata: metadata(), timestamp: time(), window: go_duration(), usage: quantities(),
    }

    /// Any metrics of a pod.
    pub fn pod_metrics() -> PodMetrics {
        metadata: metadata(), timestamp: time(), window: go_duration(), containers: few(container_metrics()),
    }

    pub(super) fn container_metrics() -> ContainerMetrics { name: name(), usage: quantities() }

    /// Any metadata.
    pub fn metadata() -> ObjectMeta {
        name: name(),
        namespace: of(name()),
        uid: of(uid()),
        revision: of(revision()),
        generation: of(long()),
        creation_timestamp: of(time()),
        deletion_timestamp: of(time()),
        deletion_grace_period_seconds: of(long()),
        labels: labels(),
        annotations: few_by_key(text()),
        owner_references: few(owner_reference()),
        finalizers: few(key()),
    }

    pub(super) fn owner_reference() -> OwnerReference {
        api_version: key(),
        kind: word(),
        name: name(),
        uid: uid(),
        controller: of(any::<bool>()),
        block_owner_deletion: of(any::<bool>()),
    }

    pub(super) fn object_reference() -> ObjectReference {
        api_version: of(key()),
        kind: of(word()),
        namespace: of(name()),
        name: of(name()),
        uid: of(uid()),
        revision: of(revision()),
        field_path: of(text()),
    }

    pub(super) fn node_spec() -> NodeSpec {
        pod_cidr: of(cidr()),
        pod_cidrs: few(cidr()),
        provider_id: of(text()),
        unschedulable: any::<bool>(),
        taints: few(taint()),
    }

    pub(super) fn node_status() -> NodeStatus {
        capacity: quantities(),
        allocatable: quantities(),
        conditions: few(node_condition()),
        addresses: few(node_address()),
        node_info: of(node_system_info()),
        images: few(container_image()),
    }

    pub(super) fn container_image() -> ContainerImage { names: few(text()), size_bytes: of(long()) }

    pub(super) fn node_condition() -> NodeCondition {
        r#type: word(),
        status: condition_status(),
        last_heartbeat_time: of(time()),
        last_transition_time: of(time()),
        reason: of(word()),
        message: of(text()),
    }

    pub(super) fn node_address() -> NodeAddress {
        r#type: select(vec![
            NodeAddressType::Hostname,
            NodeAddressType::InternalIp,
            NodeAddressType::ExternalIp,
            NodeAddressType::InternalDns,
            NodeAddressType::ExternalDns,
        ]),
        address: address(),
    }

    pub(super) fn node_system_info() -> NodeSystemInfo {
        machine_id: text(),
        system_uuid: text(),
        boot_id: text(),
        kernel_version: text(),
        os_image: text(),
        container_runtime_version: text(),
        kubelet_version: text(),
        kube_proxy_version: text(),
        operating_system: text(),
        architecture: text(),
    }

    pub(super) fn taint() -> Taint { key: key(), value: of(value()), effect: effect(), time_added: of(time()) }

    pub(super) fn toleration() -> Toleration {
        key: of(key()),
        operator: of(select(vec![TolerationOperator::Equal, TolerationOperator::Exists])),
        value: of(value()),
        effect: of(effect()),
        toleration_seconds: of(long()),
    }

    pub(super) fn pod_template() -> PodTemplateSpec {
        metadata: prop_oneof![Just(ObjectMeta::default()), metadata()],
        spec: pod_spec(),
    }

    pub(super) fn label_selector() -> LabelSelector { match_labels: labels(), match_expressions: few(label_requirement()) }

    pub(super) fn label_requirement() -> LabelSelectorRequirement {
        key: key(),
        operator: select(vec![
            LabelSelectorOperator::In,
            LabelSelectorOperator::NotIn,
            LabelSelectorOperator::Exists,
            LabelSelectorOperator::DoesNotExist,
        ]),
        values: few(value()),
    }

    pub(super) fn replica_set_spec() -> ReplicaSetSpec {
        replicas: of(number()),
        min_ready_seconds: of(number()),
        selector: label_selector(),
        template: pod_template(),
    }

    pub(super) fn replica_set_status() -> ReplicaSetStatus {
        replicas: number(),
        fully_labeled_replicas: number(),
        ready_replicas: number(),
        available_replicas: number(),
        terminating_replicas: of(number()),
        observed_generation: of(long()),
        conditions: few(replica_set_condition()),
    }

    pub(super) fn replica_set_condition() -> ReplicaSetCondition {
        r#type: word(),
        status: condition_status(),
        last_transition_time: of(time()),
        reason: of(word()),
        message: of(text()),
    }

    pub(super) fn deployment_spec() -> DeploymentSpec {
        replicas: of(number()),
        selector: label_selector(),
        template: pod_template(),
        strategy: deployment_strategy(),
        min_ready_seconds: of(number()),
        revision_history_limit: of(number()),
        paused: any::<bool>(),
        progress_deadline_seconds: of(number()),
    }

    pub(super) fn deployment_strategy() -> DeploymentStrategy {
        r#type: of(select(vec![DeploymentStrategyType::RollingUpdate, DeploymentStrategyType::Recreate])),
        rolling_update: of(rolling_update()),
    }

    pub(super) fn rolling_update() -> RollingUpdateDeployment {
        max_unavailable: of(int_or_string()),
        max_surge: of(int_or_string()),
    }

    pub(super) fn deployment_status() -> DeploymentStatus {
        observed_generation: of(long()),
        replicas: number(),
        updated_replicas: number(),
        ready_replicas: number(),
        available_replicas: number(),
        unavailable_replicas: number(),
        terminating_replicas: of(number()),
        conditions: few(deployment_condition()),
        collision_count: of(number()),
    }

    pub(super) fn deployment_condition() -> DeploymentCondition {
        r#type: word(),
        status: condition_status(),
        last_update_time: of(time()),
        last_transition_time: of(time()),
        reason: of(word()),
        message: of(text()),
    }

    pub(super) fn service_spec() -> ServiceSpec {
        r#type: of(select(vec![ServiceType::ClusterIp, ServiceType::NodePort])),
        cluster_ip: of(prop_oneof![address(), Just(ServiceSpec::HEADLESS.to_owned())]),
        cluster_ips: few(address()),
        selector: labels(),
        ports: few(service_port()),
        session_affinity: of(select(vec![SessionAffinity::None, SessionAffinity::ClientIp])),
        session_affinity_config: of(session_affinity_config()),
        external_traffic_policy: of(traffic_policy()),
        internal_traffic_policy: of(traffic_policy()),
        publish_not_ready_addresses: any::<bool>(),
    }

    pub(super) fn service_port() -> ServicePort {
        name: of(name()),
        protocol: of(protocol()),
        port: port(),
        target_port: of(int_or_string()),
        node_port: of(port()),
    }

    pub(super) fn session_affinity_config() -> SessionAffinityConfig {
        client_ip: of(of(1..=86_400).prop_map(|timeout_seconds| ClientIpConfig { timeout_seconds })),
    }

    pub(super) fn service_status() -> ServiceStatus {
        load_balancer: few(ingress()).prop_map(|ingress| LoadBalancerStatus { ingress }),
    }

    pub(super) fn ingress() -> LoadBalancerIngress { ip: of(address()), hostname: of(name()) }

    pub(super) fn endpoint() -> Endpoint {
        addresses: vec(address(), 1..3),
        conditions: endpoint_conditions(),
        hostname: of(name()),
        node_name: of(name()),
        target_ref: of(object_reference()),
    }

    pub(super) fn endpoint_conditions() -> EndpointConditions {
        ready: of(any::<bool>()),
        serving: of(any::<bool>()),
        terminating: of(any::<bool>()),
    }

    pub(super) fn endpoint_port() -> EndpointPort { name: of(name()), protocol: of(protocol()), port: of(port()) }

    pub(super) fn namespace_spec() -> NamespaceSpec { finalizers: few(key()) }

    pub(super) fn namespace_status() -> NamespaceStatus {
        phase: of(select(vec![NamespacePhase::Active, NamespacePhase::Terminating])),
    }

    pub(super) fn event_source() -> EventSource { component: of(name()), host: of(name()) }

    pub(super) fn lease_spec() -> LeaseSpec {
        holder_identity: of(name()),
        lease_duration_seconds: of(number()),
        acquire_time: of(micro_time()),
        renew_time: of(micro_time()),
        lease_transitions: of(number()),
    }
}
