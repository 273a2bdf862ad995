//! The nouns: plain structs, wire-compatible with Kubernetes' for every field that they have.
//!
//! Decoding adds nothing: where Kubernetes has a default, the field stays as it was written and a method of the
//! field's name, such as [`PodSpec::restart_policy`], gives the value that holds.

mod affinity;
mod condition;
mod container;
mod container_status;
mod deployment;
mod endpoint_slice;
mod env;
mod event;
mod int_or_string;
mod label;
mod lease;
mod metadata;
mod namespace;
mod node;
mod null;
mod pod;
mod probe;
mod quantity;
mod replica_set;
mod selector;
mod service;
mod taint;
mod time;

pub use affinity::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorOperator, NodeSelectorRequirement, NodeSelectorTerm,
    PreferredSchedulingTerm,
};
pub use condition::{
    Condition, ConditionStatus, DeploymentCondition, NodeCondition, PodCondition, ReplicaSetCondition, find_condition,
    is_condition_true, set_condition,
};
pub use container::{Container, ContainerPort, Protocol, ResourceRequirements};
pub use container_status::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
};
pub use deployment::{
    Deployment, DeploymentSpec, DeploymentStatus, DeploymentStrategy, DeploymentStrategyType, RollingUpdateDeployment,
};
pub use endpoint_slice::{AddressType, Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
pub use env::{EnvVar, EnvVarSource, ObjectFieldSelector};
pub use event::{Event, EventSource, EventType, ObjectReference};
pub use int_or_string::IntOrString;
pub use label::validate_metadata;
pub use lease::{Lease, LeaseSpec};
pub use metadata::{ObjectMeta, OwnerReference, Uid};
pub use namespace::{Namespace, NamespacePhase, NamespaceSpec, NamespaceStatus};
pub use node::{Node, NodeAddress, NodeAddressType, NodeSpec, NodeStatus, NodeSystemInfo};
pub use pod::{Pod, PodIp, PodPhase, PodSpec, PodStatus, PodTemplateSpec, RestartPolicy};
pub use probe::{ExecAction, HttpGetAction, HttpHeader, Probe, TcpSocketAction, UriScheme};
pub use quantity::{Quantity, QuantityError};
pub use replica_set::{ReplicaSet, ReplicaSetSpec, ReplicaSetStatus};
pub use selector::{LabelSelector, LabelSelectorOperator, LabelSelectorRequirement};
pub use service::{
    ClientIpConfig, LoadBalancerIngress, LoadBalancerStatus, Service, ServicePort, ServiceSpec, ServiceStatus,
    ServiceType, SessionAffinity, SessionAffinityConfig, TrafficPolicy,
};
pub use taint::{Taint, TaintEffect, Toleration, TolerationOperator};
pub use time::{MicroTime, Time};
