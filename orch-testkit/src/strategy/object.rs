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

/// Defines functions that give a strategy for a struct from one for each of its fields.
macro_rules! strategies {
    ($($(#[$doc:meta])* $vis:vis fn $name:ident() -> $type:ident { $($field:ident: $strategy:expr),+ $(,)? })+) => {$(
        $(#[$doc])*
        $vis fn $name() -> BoxedStrategy<$type> {
            prop_compose! {
                fn fields()($($field in $strategy),+) -> $type {
                    $type { $($field),+ }
                }
            }
            fields().boxed()
        }
    )+};
}

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

    fn container_metrics() -> ContainerMetrics { name: name(), usage: quantities() }

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

    fn owner_reference() -> OwnerReference {
        api_version: key(),
        kind: word(),
        name: name(),
        uid: uid(),
        controller: of(any::<bool>()),
        block_owner_deletion: of(any::<bool>()),
    }

    fn object_reference() -> ObjectReference {
        api_version: of(key()),
        kind: of(word()),
        namespace: of(name()),
        name: of(name()),
        uid: of(uid()),
        revision: of(revision()),
        field_path: of(text()),
    }

    fn node_spec() -> NodeSpec {
        pod_cidr: of(cidr()),
        pod_cidrs: few(cidr()),
        provider_id: of(text()),
        unschedulable: any::<bool>(),
        taints: few(taint()),
    }

    fn node_status() -> NodeStatus {
        capacity: quantities(),
        allocatable: quantities(),
        conditions: few(node_condition()),
        addresses: few(node_address()),
        node_info: of(node_system_info()),
        images: few(container_image()),
    }

    fn container_image() -> ContainerImage { names: few(text()), size_bytes: of(long()) }

    fn node_condition() -> NodeCondition {
        r#type: word(),
        status: condition_status(),
        last_heartbeat_time: of(time()),
        last_transition_time: of(time()),
        reason: of(word()),
        message: of(text()),
    }

    fn node_address() -> NodeAddress {
        r#type: select(vec![
            NodeAddressType::Hostname,
            NodeAddressType::InternalIp,
            NodeAddressType::ExternalIp,
            NodeAddressType::InternalDns,
            NodeAddressType::ExternalDns,
        ]),
        address: address(),
    }

    fn node_system_info() -> NodeSystemInfo {
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

    fn taint() -> Taint { key: key(), value: of(value()), effect: effect(), time_added: of(time()) }

    fn toleration() -> Toleration {
        key: of(key()),
        operator: of(select(vec![TolerationOperator::Equal, TolerationOperator::Exists])),
        value: of(value()),
        effect: of(effect()),
        toleration_seconds: of(long()),
    }

    fn pod_template() -> PodTemplateSpec {
        metadata: prop_oneof![Just(ObjectMeta::default()), metadata()],
        spec: pod_spec(),
    }

    fn pod_spec() -> PodSpec {
        containers: vec(container(), 1..3),
        init_containers: few(container()),
        volumes: few(volume()),
        restart_policy: of(select(vec![RestartPolicy::Always, RestartPolicy::OnFailure, RestartPolicy::Never])),
        termination_grace_period_seconds: of(long()),
        active_deadline_seconds: of(long()),
        node_selector: labels(),
        affinity: of(affinity()),
        tolerations: few(toleration()),
        node_name: of(name()),
        scheduler_name: of(name()),
        hostname: of(name()),
        host_network: any::<bool>(),
        security_context: of(pod_security_context()),
        automount_service_account_token: of(any::<bool>()),
        enable_service_links: of(any::<bool>()),
        priority: of(any::<i32>()),
        priority_class_name: of(name()),
    }

    fn pod_status() -> PodStatus {
        phase: of(select(vec![
            PodPhase::Pending,
            PodPhase::Running,
            PodPhase::Succeeded,
            PodPhase::Failed,
            PodPhase::Unknown,
        ])),
        observed_generation: of(long()),
        conditions: few(pod_condition()),
        reason: of(word()),
        message: of(text()),
        host_ip: of(address()),
        pod_ip: of(address()),
        pod_ips: few(address().prop_map(|ip| PodIp { ip })),
        start_time: of(time()),
        init_container_statuses: few(container_status()),
        container_statuses: few(container_status()),
        qos_class: of(select(vec![PodQosClass::BestEffort, PodQosClass::Burstable, PodQosClass::Guaranteed])),
    }

    fn pod_security_context() -> PodSecurityContext {
        run_as_user: of(long()),
        run_as_group: of(long()),
        run_as_non_root: of(any::<bool>()),
        supplemental_groups: few(long()),
        fs_group: of(long()),
    }

    fn pod_condition() -> PodCondition {
        r#type: word(),
        status: condition_status(),
        observed_generation: of(long()),
        last_probe_time: of(time()),
        last_transition_time: of(time()),
        reason: of(word()),
        message: of(text()),
    }

    fn affinity() -> Affinity { node_affinity: of(node_affinity()) }

    fn node_affinity() -> NodeAffinity {
        required_during_scheduling_ignored_during_execution: of(node_selector()),
        preferred_during_scheduling_ignored_during_execution: few(preferred_term()),
    }

    fn preferred_term() -> PreferredSchedulingTerm { weight: 1..=100, preference: node_selector_term() }

    fn node_selector() -> NodeSelector { node_selector_terms: vec(node_selector_term(), 1..3) }

    fn node_selector_term() -> NodeSelectorTerm {
        match_expressions: few(node_requirement()),
        match_fields: few(node_requirement()),
    }

    fn node_requirement() -> NodeSelectorRequirement {
        key: key(),
        operator: select(vec![
            NodeSelectorOperator::In,
            NodeSelectorOperator::NotIn,
            NodeSelectorOperator::Exists,
            NodeSelectorOperator::DoesNotExist,
            NodeSelectorOperator::Gt,
            NodeSelectorOperator::Lt,
        ]),
        values: few(value()),
    }

    fn container() -> Container {
        name: name(),
        image: of(text()),
        image_pull_policy: of(select(vec![
            ImagePullPolicy::Always,
            ImagePullPolicy::IfNotPresent,
            ImagePullPolicy::Never,
        ])),
        command: few(text()),
        args: few(text()),
        working_dir: of(text()),
        ports: few(container_port()),
        env_from: few(env_from()),
        env: few(env_var()),
        resources: resources(),
        volume_mounts: few(volume_mount()),
        liveness_probe: of(probe()),
        readiness_probe: of(probe()),
        startup_probe: of(probe()),
        lifecycle: of(lifecycle()),
        termination_message_path: of(text()),
        termination_message_policy: of(select(vec![
            TerminationMessagePolicy::File,
            TerminationMessagePolicy::FallbackToLogsOnError,
        ])),
        security_context: of(security_context()),
        stdin: any::<bool>(),
        stdin_once: any::<bool>(),
        tty: any::<bool>(),
    }

    fn lifecycle() -> Lifecycle { post_start: of(lifecycle_handler()), pre_stop: of(lifecycle_handler()) }

    fn lifecycle_handler() -> LifecycleHandler {
        exec: of(few(text()).prop_map(|command| ExecAction { command })),
        http_get: of(http_get()),
        tcp_socket: of(tcp_socket()),
        sleep: of(long().prop_map(|seconds| SleepAction { seconds })),
    }

    fn security_context() -> SecurityContext {
        run_as_user: of(long()),
        run_as_group: of(long()),
        run_as_non_root: of(any::<bool>()),
        privileged: of(any::<bool>()),
        allow_privilege_escalation: of(any::<bool>()),
        read_only_root_filesystem: of(any::<bool>()),
        capabilities: capabilities(),
    }

    fn capabilities() -> Capabilities { add: few(text()), drop: few(text()) }

    fn volume_mount() -> VolumeMount {
        name: name(),
        mount_path: text(),
        read_only: any::<bool>(),
        sub_path: of(text()),
    }

    fn volume() -> Volume {
        name: name(),
        empty_dir: of(empty_dir()),
        host_path: of(host_path()),
        config_map: of(config_map_volume()),
        secret: of(secret_volume()),
        downward_api: of(downward_api_volume()),
    }

    fn empty_dir() -> EmptyDirVolumeSource {
        medium: of(select(vec![StorageMedium::Node, StorageMedium::Memory])),
        size_limit: of(quantity()),
    }

    fn host_path() -> HostPathVolumeSource {
        path: text(),
        r#type: of(select(vec![
            HostPathType::Unchecked,
            HostPathType::DirectoryOrCreate,
            HostPathType::Directory,
            HostPathType::FileOrCreate,
            HostPathType::File,
            HostPathType::Socket,
            HostPathType::CharDevice,
            HostPathType::BlockDevice,
        ])),
    }

    fn config_map_volume() -> ConfigMapVolumeSource {
        name: name(),
        items: few(key_to_path()),
        default_mode: of(number()),
        optional: any::<bool>(),
    }

    fn secret_volume() -> SecretVolumeSource {
        secret_name: name(),
        items: few(key_to_path()),
        default_mode: of(number()),
        optional: any::<bool>(),
    }

    fn key_to_path() -> KeyToPath { key: config_key(), path: text(), mode: of(number()) }

    fn downward_api_volume() -> DownwardApiVolumeSource {
        items: few(downward_api_file()),
        default_mode: of(number()),
    }

    fn downward_api_file() -> DownwardApiVolumeFile {
        path: text(),
        field_ref: of(field_selector()),
        resource_field_ref: of(resource_selector()),
        mode: of(number()),
    }

    fn container_port() -> ContainerPort {
        name: of(name()),
        container_port: port(),
        protocol: of(protocol()),
        host_port: of(port()),
        host_ip: of(address()),
    }

    fn env_var() -> EnvVar { name: "[A-Z][A-Z0-9_]{0,9}", value: of(text()), value_from: of(env_var_source()) }

    fn env_var_source() -> EnvVarSource {
        field_ref: of(field_selector()),
        resource_field_ref: of(resource_selector()),
        config_map_key_ref: of(config_map_key()),
        secret_key_ref: of(secret_key()),
    }

    fn resource_selector() -> ResourceFieldSelector {
        container_name: of(name()),
        resource: select(vec!["limits.cpu", "requests.memory"]).prop_map(str::to_owned),
        divisor: of(quantity()),
    }

    fn config_map_key() -> ConfigMapKeySelector { name: name(), key: config_key(), optional: any::<bool>() }

    fn secret_key() -> SecretKeySelector { name: name(), key: config_key(), optional: any::<bool>() }

    fn env_from() -> EnvFromSource {
        prefix: of("[A-Z][A-Z0-9_]{0,9}"),
        config_map_ref: of(config_map_env()),
        secret_ref: of(secret_env()),
    }

    fn config_map_env() -> ConfigMapEnvSource { name: name(), optional: any::<bool>() }

    fn secret_env() -> SecretEnvSource { name: name(), optional: any::<bool>() }

    fn field_selector() -> ObjectFieldSelector {
        api_version: of(Just("v1".to_owned())),
        field_path: select(vec!["metadata.name", "status.podIP", "metadata.labels['app']"]).prop_map(str::to_owned),
    }

    fn resources() -> ResourceRequirements { requests: quantities(), limits: quantities() }

    fn probe() -> Probe {
        exec: of(few(text()).prop_map(|command| ExecAction { command })),
        http_get: of(http_get()),
        tcp_socket: of(tcp_socket()),
        initial_delay_seconds: of(number()),
        period_seconds: of(number()),
        timeout_seconds: of(number()),
        success_threshold: of(number()),
        failure_threshold: of(number()),
        termination_grace_period_seconds: of(long()),
    }

    fn http_get() -> HttpGetAction {
        path: of(text()),
        port: int_or_string(),
        host: of(address()),
        scheme: of(select(vec![UriScheme::Http, UriScheme::Https])),
        http_headers: few(http_header()),
    }

    fn http_header() -> HttpHeader { name: name(), value: text() }

    fn tcp_socket() -> TcpSocketAction { port: int_or_string(), host: of(address()) }

    fn container_status() -> ContainerStatus {
        name: name(),
        state: container_state(),
        last_state: container_state(),
        ready: any::<bool>(),
        started: of(any::<bool>()),
        restart_count: number(),
        image: text(),
        image_id: text(),
        container_id: of(text()),
    }

    fn waiting() -> ContainerStateWaiting { reason: of(word()), message: of(text()) }

    fn running() -> ContainerStateRunning { started_at: of(time()) }

    fn terminated() -> ContainerStateTerminated {
        exit_code: any::<i32>(),
        signal: of(number()),
        reason: of(word()),
        message: of(text()),
        started_at: of(time()),
        finished_at: of(time()),
        container_id: of(text()),
    }

    fn label_selector() -> LabelSelector { match_labels: labels(), match_expressions: few(label_requirement()) }

    fn label_requirement() -> LabelSelectorRequirement {
        key: key(),
        operator: select(vec![
            LabelSelectorOperator::In,
            LabelSelectorOperator::NotIn,
            LabelSelectorOperator::Exists,
            LabelSelectorOperator::DoesNotExist,
        ]),
        values: few(value()),
    }

    fn replica_set_spec() -> ReplicaSetSpec {
        replicas: of(number()),
        min_ready_seconds: of(number()),
        selector: label_selector(),
        template: pod_template(),
    }

    fn replica_set_status() -> ReplicaSetStatus {
        replicas: number(),
        fully_labeled_replicas: number(),
        ready_replicas: number(),
        available_replicas: number(),
        terminating_replicas: of(number()),
        observed_generation: of(long()),
        conditions: few(replica_set_condition()),
    }

    fn replica_set_condition() -> ReplicaSetCondition {
        r#type: word(),
        status: condition_status(),
        last_transition_time: of(time()),
        reason: of(word()),
        message: of(text()),
    }

    fn deployment_spec() -> DeploymentSpec {
        replicas: of(number()),
        selector: label_selector(),
        template: pod_template(),
        strategy: deployment_strategy(),
        min_ready_seconds: of(number()),
        revision_history_limit: of(number()),
        paused: any::<bool>(),
        progress_deadline_seconds: of(number()),
    }

    fn deployment_strategy() -> DeploymentStrategy {
        r#type: of(select(vec![DeploymentStrategyType::RollingUpdate, DeploymentStrategyType::Recreate])),
        rolling_update: of(rolling_update()),
    }

    fn rolling_update() -> RollingUpdateDeployment {
        max_unavailable: of(int_or_string()),
        max_surge: of(int_or_string()),
    }

    fn deployment_status() -> DeploymentStatus {
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

    fn deployment_condition() -> DeploymentCondition {
        r#type: word(),
        status: condition_status(),
        last_update_time: of(time()),
        last_transition_time: of(time()),
        reason: of(word()),
        message: of(text()),
    }

    fn service_spec() -> ServiceSpec {
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

    fn service_port() -> ServicePort {
        name: of(name()),
        protocol: of(protocol()),
        port: port(),
        target_port: of(int_or_string()),
        node_port: of(port()),
    }

    fn session_affinity_config() -> SessionAffinityConfig {
        client_ip: of(of(1..=86_400).prop_map(|timeout_seconds| ClientIpConfig { timeout_seconds })),
    }

    fn service_status() -> ServiceStatus {
        load_balancer: few(ingress()).prop_map(|ingress| LoadBalancerStatus { ingress }),
    }

    fn ingress() -> LoadBalancerIngress { ip: of(address()), hostname: of(name()) }

    fn endpoint() -> Endpoint {
        addresses: vec(address(), 1..3),
        conditions: endpoint_conditions(),
        hostname: of(name()),
        node_name: of(name()),
        target_ref: of(object_reference()),
    }

    fn endpoint_conditions() -> EndpointConditions {
        ready: of(any::<bool>()),
        serving: of(any::<bool>()),
        terminating: of(any::<bool>()),
    }

    fn endpoint_port() -> EndpointPort { name: of(name()), protocol: of(protocol()), port: of(port()) }

    fn namespace_spec() -> NamespaceSpec { finalizers: few(key()) }

    fn namespace_status() -> NamespaceStatus {
        phase: of(select(vec![NamespacePhase::Active, NamespacePhase::Terminating])),
    }

    fn event_source() -> EventSource { component: of(name()), host: of(name()) }

    fn lease_spec() -> LeaseSpec {
        holder_identity: of(name()),
        lease_duration_seconds: of(number()),
        acquire_time: of(micro_time()),
        renew_time: of(micro_time()),
        lease_transitions: of(number()),
    }
}

fn container_state() -> impl Strategy<Value = ContainerState> {
    prop_oneof![
        Just(ContainerState::default()),
        waiting().prop_map(|waiting| ContainerState { waiting: Some(waiting), ..ContainerState::default() }),
        running().prop_map(|running| ContainerState { running: Some(running), ..ContainerState::default() }),
        terminated().prop_map(ContainerState::terminated),
    ]
}
