//! Pods and everything in them: see [`object`](super::object).

use orch_core::object::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::field::*;
use super::object::*;

strategies! {
    pub(super) fn pod_spec() -> PodSpec {
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
        subdomain: of(name()),
        dns_policy: of(select(vec![
            DnsPolicy::ClusterFirst,
            DnsPolicy::ClusterFirstWithHostNet,
            DnsPolicy::Default,
            DnsPolicy::None,
        ])),
        dns_config: of(dns_config()),
        host_aliases: few(host_alias()),
        host_network: any::<bool>(),
        security_context: of(pod_security_context()),
        automount_service_account_token: of(any::<bool>()),
        enable_service_links: of(any::<bool>()),
        priority: of(any::<i32>()),
        priority_class_name: of(name()),
    }

    pub(super) fn pod_status() -> PodStatus {
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

    pub(super) fn pod_security_context() -> PodSecurityContext {
        run_as_user: of(long()),
        run_as_group: of(long()),
        run_as_non_root: of(any::<bool>()),
        supplemental_groups: few(long()),
        fs_group: of(long()),
    }

    pub(super) fn dns_config() -> PodDnsConfig {
        nameservers: few(address()),
        searches: few(name()),
        options: few(dns_option()),
    }

    pub(super) fn dns_option() -> PodDnsConfigOption { name: of(name()), value: of(text()) }

    pub(super) fn host_alias() -> HostAlias { ip: address(), hostnames: few(name()) }

    pub(super) fn pod_condition() -> PodCondition {
        r#type: word(),
        status: condition_status(),
        observed_generation: of(long()),
        last_probe_time: of(time()),
        last_transition_time: of(time()),
        reason: of(word()),
        message: of(text()),
    }

    pub(super) fn affinity() -> Affinity { node_affinity: of(node_affinity()) }

    pub(super) fn node_affinity() -> NodeAffinity {
        required_during_scheduling_ignored_during_execution: of(node_selector()),
        preferred_during_scheduling_ignored_during_execution: few(preferred_term()),
    }

    pub(super) fn preferred_term() -> PreferredSchedulingTerm { weight: 1..=100, preference: node_selector_term() }

    pub(super) fn node_selector() -> NodeSelector { node_selector_terms: vec(node_selector_term(), 1..3) }

    pub(super) fn node_selector_term() -> NodeSelectorTerm {
        match_expressions: few(node_requirement()),
        match_fields: few(node_requirement()),
    }

    pub(super) fn node_requirement() -> NodeSelectorRequirement {
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

    pub(super) fn container() -> Container {
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

    pub(super) fn lifecycle() -> Lifecycle { post_start: of(lifecycle_handler()), pre_stop: of(lifecycle_handler()) }

    pub(super) fn lifecycle_handler() -> LifecycleHandler {
        exec: of(few(text()).prop_map(|command| ExecAction { command })),
        http_get: of(http_get()),
        tcp_socket: of(tcp_socket()),
        sleep: of(long().prop_map(|seconds| SleepAction { seconds })),
    }

    pub(super) fn security_context() -> SecurityContext {
        run_as_user: of(long()),
        run_as_group: of(long()),
        run_as_non_root: of(any::<bool>()),
        privileged: of(any::<bool>()),
        allow_privilege_escalation: of(any::<bool>()),
        read_only_root_filesystem: of(any::<bool>()),
        capabilities: capabilities(),
    }

    pub(super) fn capabilities() -> Capabilities { add: few(text()), drop: few(text()) }

    pub(super) fn volume_mount() -> VolumeMount {
        name: name(),
        mount_path: text(),
        read_only: any::<bool>(),
        sub_path: of(text()),
    }

    pub(super) fn volume() -> Volume {
        name: name(),
        empty_dir: of(empty_dir()),
        host_path: of(host_path()),
        config_map: of(config_map_volume()),
        secret: of(secret_volume()),
        downward_api: of(downward_api_volume()),
    }

    pub(super) fn empty_dir() -> EmptyDirVolumeSource {
        medium: of(select(vec![StorageMedium::Node, StorageMedium::Memory])),
        size_limit: of(quantity()),
    }

    pub(super) fn host_path() -> HostPathVolumeSource {
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

    pub(super) fn config_map_volume() -> ConfigMapVolumeSource {
        name: name(),
        items: few(key_to_path()),
        default_mode: of(number()),
        optional: any::<bool>(),
    }

    pub(super) fn secret_volume() -> SecretVolumeSource {
        secret_name: name(),
        items: few(key_to_path()),
        default_mode: of(number()),
        optional: any::<bool>(),
    }

    pub(super) fn key_to_path() -> KeyToPath { key: config_key(), path: text(), mode: of(number()) }

    pub(super) fn downward_api_volume() -> DownwardApiVolumeSource {
        items: few(downward_api_file()),
        default_mode: of(number()),
    }

    pub(super) fn downward_api_file() -> DownwardApiVolumeFile {
        path: text(),
        field_ref: of(field_selector()),
        resource_field_ref: of(resource_selector()),
        mode: of(number()),
    }

    pub(super) fn container_port() -> ContainerPort {
        name: of(name()),
        container_port: port(),
        protocol: of(protocol()),
        host_port: of(port()),
        host_ip: of(address()),
    }

    pub(super) fn env_var() -> EnvVar { name: "[A-Z][A-Z0-9_]{0,9}", value: of(text()), value_from: of(env_var_source()) }

    pub(super) fn env_var_source() -> EnvVarSource {
        field_ref: of(field_selector()),
        resource_field_ref: of(resource_selector()),
        config_map_key_ref: of(config_map_key()),
        secret_key_ref: of(secret_key()),
    }

    pub(super) fn resource_selector() -> ResourceFieldSelector {
        container_name: of(name()),
        resource: select(vec!["limits.cpu", "requests.memory"]).prop_map(str::to_owned),
        divisor: of(quantity()),
    }

    pub(super) fn config_map_key() -> ConfigMapKeySelector { name: name(), key: config_key(), optional: any::<bool>() }

    pub(super) fn secret_key() -> SecretKeySelector { name: name(), key: config_key(), optional: any::<bool>() }

    pub(super) fn env_from() -> EnvFromSource {
        prefix: of("[A-Z][A-Z0-9_]{0,9}"),
        config_map_ref: of(config_map_env()),
        secret_ref: of(secret_env()),
    }

    pub(super) fn config_map_env() -> ConfigMapEnvSource { name: name(), optional: any::<bool>() }

    pub(super) fn secret_env() -> SecretEnvSource { name: name(), optional: any::<bool>() }

    pub(super) fn field_selector() -> ObjectFieldSelector {
        api_version: of(Just("v1".to_owned())),
        field_path: select(vec!["metadata.name", "status.podIP", "metadata.labels['app']"]).prop_map(str::to_owned),
    }

    pub(super) fn resources() -> ResourceRequirements { requests: quantities(), limits: quantities() }

    pub(super) fn probe() -> Probe {
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

    pub(super) fn http_get() -> HttpGetAction {
        path: of(text()),
        port: int_or_string(),
        host: of(address()),
        scheme: of(select(vec![UriScheme::Http, UriScheme::Https])),
        http_headers: few(http_header()),
    }

    pub(super) fn http_header() -> HttpHeader { name: name(), value: text() }

    pub(super) fn tcp_socket() -> TcpSocketAction { port: int_or_string(), host: of(address()) }

    pub(super) fn container_status() -> ContainerStatus {
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

    pub(super) fn waiting() -> ContainerStateWaiting { reason: of(word()), message: of(text()) }

    pub(super) fn running() -> ContainerStateRunning { started_at: of(time()) }

    pub(super) fn terminated() -> ContainerStateTerminated {
        exit_code: any::<i32>(),
        signal: of(number()),
        reason: of(word()),
        message: of(text()),
        started_at: of(time()),
        finished_at: of(time()),
        container_id: of(text()),
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
