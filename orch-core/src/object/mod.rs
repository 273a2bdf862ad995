//! The nouns: plain structs, wire-compatible with Kubernetes' for every field that they have.
//!
//! Decoding adds nothing: where Kubernetes has a default, the field stays as it was written and a method of the
//! field's name, such as [`PodSpec::restart_policy`], gives the value that holds.

mod affinity;
mod byte_string;
mod condition;
mod config_map;
mod container;
mod container_status;
mod deployment;
mod endpoint_slice;
mod env;
mod env_from;
mod event;
mod go_duration;
mod image;
mod int_or_string;
mod ip_address;
mod label;
mod lease;
mod lifecycle;
mod metadata;
mod metrics;
mod namespace;
mod node;
mod null;
mod path;
mod pod;
mod pod_cidr;
mod pod_dns;
mod pod_spec;
mod probe;
mod qos;
mod quantity;
mod replica_set;
mod secret;
mod security_context;
mod selector;
mod service;
mod service_node_port;
mod taint;
mod time;
mod volume;
mod volume_mount;

pub use affinity::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorOperator, NodeSelectorRequirement, NodeSelectorTerm,
    PreferredSchedulingTerm,
};
pub use byte_string::ByteString;
pub use condition::{
    Condition, ConditionStatus, DeploymentCondition, NodeCondition, PodCondition, ReplicaSetCondition, find_condition,
    is_condition_true, set_condition,
};
pub use config_map::ConfigMap;
pub use container::{Container, ContainerPort, Protocol, ResourceRequirements, TerminationMessagePolicy};
pub use container_status::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
};
pub use deployment::{
    Deployment, DeploymentSpec, DeploymentStatus, DeploymentStrategy, DeploymentStrategyType, RollingUpdateDeployment,
};
pub use endpoint_slice::{AddressType, Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
pub use env::{
    ConfigMapKeySelector, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector, SecretKeySelector,
};
pub use env_from::{ConfigMapEnvSource, EnvFromSource, SecretEnvSource};
pub use event::{Event, EventSource, EventType, ObjectReference};
pub use go_duration::{GoDuration, GoDurationError};
pub use image::ImagePullPolicy;
pub use int_or_string::IntOrString;
pub use ip_address::{IpAddress, IpAddressSpec, ParentReference};
pub use label::validate_metadata;
pub use lease::{Lease, LeaseSpec};
pub use lifecycle::{Lifecycle, LifecycleHandler, SleepAction};
pub use metadata::{ObjectMeta, OwnerReference, Uid};
pub use metrics::{ContainerMetrics, NodeMetrics, PodMetrics};
pub use namespace::{Namespace, NamespacePhase, NamespaceSpec, NamespaceStatus};
pub use node::{ContainerImage, Node, NodeAddress, NodeAddressType, NodeSpec, NodeStatus, NodeSystemInfo};
pub use pod::{Pod, PodIp, PodPhase, PodStatus, PodTemplateSpec};
pub use pod_cidr::{PodCidr, PodCidrSpec};
pub use pod_dns::{DnsPolicy, HostAlias, PodDnsConfig, PodDnsConfigOption};
pub use pod_spec::{PodSpec, RestartPolicy};
pub use probe::{ExecAction, HttpGetAction, HttpHeader, Probe, TcpSocketAction, UriScheme};
pub use qos::PodQosClass;
pub use quantity::{Quantity, QuantityError};
pub use replica_set::{ReplicaSet, ReplicaSetSpec, ReplicaSetStatus};
pub use secret::Secret;
pub use security_context::{Capabilities, PodSecurityContext, SecurityContext};
pub use selector::{LabelSelector, LabelSelectorOperator, LabelSelectorRequirement};
pub use service::{
    ClientIpConfig, LoadBalancerIngress, LoadBalancerStatus, Service, ServicePort, ServiceSpec, ServiceStatus,
    ServiceType, SessionAffinity, SessionAffinityConfig, TrafficPolicy,
};
pub use service_node_port::{ServiceNodePort, ServiceNodePortSpec};
pub use taint::{Taint, TaintEffect, Toleration, TolerationOperator};
pub use time::{MicroTime, Time};
pub use volume::{
    ConfigMapVolumeSource, DownwardApiVolumeFile, DownwardApiVolumeSource, EmptyDirVolumeSource, HostPathType,
    HostPathVolumeSource, KeyToPath, SecretVolumeSource, StorageMedium, Volume,
};
pub use volume_mount::VolumeMount;
