//! [`Runtime`]: runs the containers of pods on one node.

mod container;
mod error;
mod id;
mod image;
mod image_name;
mod interactive;
mod logs;
mod machine;
mod mount;
mod privileges;
mod resolver;
mod sandbox;
mod stats;
mod volumes;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

pub use container::{ContainerSpec, ContainerState, ContainerStatus, ExecOutput, ExitReason, ResourceLimits};
pub use error::RuntimeError;
pub use id::{ContainerId, ContainerName, IdError, PodUid};
pub use image::{ArchiveStream, Credentials, Image, ImageError, Images, PullProgress};
pub use image_name::{ImageName, ImageNameError};
pub use interactive::{ExecRequest, Input, InputSink, Interactive, Output, Session, TerminalSize};
pub use logs::{LogOptions, LogStream};
pub use machine::{Machine, MachineStats, Supply};
pub use mount::Mount;
pub use privileges::Privileges;
pub use resolver::{HostEntry, HostName, ResolverError, ResolverWord, SandboxDns};
pub use sandbox::{SandboxSpec, SandboxStatus};
pub use stats::{ContainerStats, NetworkStats, PodStats};
pub use volumes::{HostPathType, VolumeError, VolumeFile, VolumeName, VolumeSource, VolumeUsage, Volumes};

/// Runs the containers of pods on one node. It knows mechanics only: when a container is started again, and what a
/// probe's result means, is decided by the node agent, from what the runtime reports.
///
/// A pod's containers share a *sandbox*: an address, a host name, and a life time. A container is started once per
/// *attempt*; a restart is the next attempt.
///
/// # What every runtime promises
///
/// - **R1** *Idempotent by id*: a sandbox that exists is not made again, an attempt that was started is not started
///   again, whether it still runs or has ended. So a request may be repeated after a crash or a lost answer.
/// - **R2** *No twins*: no two attempts of one container run at the same time, and no attempt runs after a later one was
///   started.
/// - **R3** *Everything is told*: [`list`](Runtime::list) reports every sandbox and container of this runtime, running or
///   ended, until it is removed; an ended container with its exit code or signal and both times. It reports nothing that
///   others made.
/// - **R4** *Survives its user*: containers go on when the process that uses the runtime ends, however it ends. A new
///   runtime of the same configuration reports them with the same ids and start times.
/// - **R5** *Ends gracefully*: [`stop`](Runtime::stop) asks a container to end, and kills it with everything that it
///   started when the grace period is over.
/// - **R6** *Leaves nothing behind*: after [`remove`](Runtime::remove) nothing of the pod is left: no process, file,
///   address or record.
/// - **R7** *A start that fails is a state, not an error*: a command that does not exist or cannot be executed gives an
///   ended container with [`ExitReason::StartError`] and a message that tells what to do. Errors are left for what is
///   wrong with the request or the runtime itself.
/// - **R8** *Own output*: what a container writes can be read while it runs and after it ended, attempt by attempt.
/// - **R9** *Contained*: one container that floods its log, ignores signals, forks without end or cannot start does not
///   disturb the others.
/// - **R10** *Nothing is left out*: a container has the mounts, the user, the groups, the privileges, the input and the
///   terminal that its spec asks for; where the runtime cannot give them, it is a start that fails (R7), with a message
///   that names what cannot be given. Limits are kept as near as the runtime can; its documentation tells how near.
///
/// # What containers see at `/etc/resolv.conf`
///
/// If the sandbox's spec has [`dns`](SandboxSpec::dns), every container of the pod, and every command beside one, sees
/// [`SandboxDns::resolv_conf`] there, and nothing else: in each attempt, under each runtime that found it, with the
/// network of the node as with one of its own. It is the pod's own: what a container writes there, the node and other pods
/// do not see. A mount that a container asks for at that place hides it. Without `dns` they see what the node has at the
/// time, or what the image has, as the runtime does it. In `/etc/hosts` they find the spec's
/// [`host_entries`](SandboxSpec::host_entries), besides what is there anyway.
///
/// A runtime whose containers see the files of the machine, and that may not mount over them, gives neither, as with host
/// names: containers see what the machine has.
///
/// What not every runtime can do is in traits of its own: [`Images`], [`Interactive`].
#[async_trait]
pub trait Runtime: Debug + Send + Sync + 'static {
    /// Makes the sandbox of a pod exist, and returns it. If it exists and is [ready](SandboxStatus::ready), nothing is
    /// changed. If it is not ready, what its containers share is made anew, perhaps with another address; containers
    /// that ended are still known.
    ///
    /// # Errors
    /// [`RuntimeError::Exhausted`] when there is no address left; [`RuntimeError::StillRunning`] when the sandbox is not
    /// ready and a container of the pod runs; [`RuntimeError::Unavailable`].
    async fn create_sandbox(&self, spec: &SandboxSpec) -> Result<SandboxStatus, RuntimeError>;

    /// Starts an attempt of a container. Returns when it runs, or is recorded as one that could not be started. One that
    /// was started before is left as it is (R1), whatever has become of the sandbox.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchPod`] without a sandbox that is ready; [`RuntimeError::StillRunning`] while another attempt
    /// of the container runs; [`RuntimeError::Superseded`] when a later attempt was started, or this one was and was
    /// removed; [`RuntimeError::NoSuchImage`] when its image is not on the node. Nothing is changed then.
    async fn start(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<(), RuntimeError>;

    /// Asks a container to end, and kills it after `grace`. Returns when it has ended; at once if it had ended before.
    /// When the future is dropped, the container was asked to end, but may not be killed.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchContainer`]; [`RuntimeError::Unavailable`].
    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError>;

    /// Forgets an attempt that has ended, with its output. An attempt that is not known is no error.
    ///
    /// # Errors
    /// [`RuntimeError::StillRunning`].
    async fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError>;

    /// Removes everything of a pod, killing what still runs. A pod that is not known is no error.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`]; whatever was not removed is still listed then.
    async fn remove(&self, pod: &PodUid) -> Result<(), RuntimeError>;

    /// Every sandbox of this runtime with its containers, ordered by pod uid.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`].
    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError>;

    /// The sandbox of one pod with its containers.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`]. A pod that is not known is `None`.
    async fn status(&self, pod: &PodUid) -> Result<Option<SandboxStatus>, RuntimeError>;

    /// What a pod uses at this moment; `None` for one that is not known.
    ///
    /// # Errors
    /// [`RuntimeError::Unavailable`].
    async fn stats(&self, pod: &PodUid) -> Result<Option<PodStats>, RuntimeError>;

    /// Pods of which something changed without being asked for, such as a container that ended, from now on. A hint:
    /// several changes may be told once, and none is told again.
    fn events(&self) -> BoxStream<'static, PodUid>;

    /// What an attempt wrote, standard output and error together, in the order written.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchContainer`].
    async fn logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogStream, RuntimeError>;

    /// Runs a command beside the running container, in its environment, and waits for its end at most `timeout`.
    ///
    /// # Errors
    /// [`RuntimeError::NoSuchContainer`] when it does not run; [`RuntimeError::TimedOut`], after the command was killed;
    /// [`RuntimeError::CommandNotFound`].
    async fn exec(&self, id: &ContainerId, command: &[String], timeout: Duration) -> Result<ExecOutput, RuntimeError>;
}
