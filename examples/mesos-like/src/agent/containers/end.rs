//! How a container ended, as Mesos says it.

use orch_core::runtime::{ContainerState, ContainerStatus, ExitReason};

use super::launch::Ended;
use crate::wire::Reason;

/// How a container ended; none if it runs.
pub(super) fn ended(container: &ContainerStatus) -> Option<Ended> {
    let ContainerState::Exited { reason, code, message, .. } = &container.state else { return None };
    Some(match reason {
        ExitReason::Exited => Ended {
            status: Some((code & 0xff) << 8),
            reason: None,
            message: format!("Command exited with status {code}"),
        },
        ExitReason::Signaled => {
            let signal = code - 128;
            Ended {
                status: Some(signal),
                reason: None,
                message: format!("Command terminated with signal {}", signal_name(signal)),
            }
        }
        ExitReason::OutOfMemory => {
            let limit = container.spec.limits.memory_bytes.map(|bytes| format!(": Requested: {}MB", bytes >> 20));
            Ended {
                status: Some(9),
                reason: Some(Reason::ContainerLimitationMemory),
                message: format!("Memory limit exceeded{}", limit.unwrap_or_default()),
            }
        }
        ExitReason::StartError => Ended {
            status: None,
            reason: Some(Reason::ContainerLaunchFailed),
            message: format!("Failed to launch container: {message}"),
        },
        _ => Ended { status: None, reason: None, message: format!("How the command ended is not known: {message}") },
    })
}

/// A container that is not there.
pub(super) fn lost() -> Ended {
    Ended { status: None, reason: None, message: "The container is not there any more".to_owned() }
}

/// What the C library calls a signal.
fn signal_name(signal: i32) -> String {
    const NAMES: [&str; 31] = [
        "Hangup",
        "Interrupt",
        "Quit",
        "Illegal instruction",
        "Trace/breakpoint trap",
        "Aborted",
        "Bus error",
        "Floating point exception",
        "Killed",
        "User defined signal 1",
        "Segmentation fault",
        "User defined signal 2",
        "Broken pipe",
        "Alarm clock",
        "Terminated",
        "Stack fault",
        "Child exited",
        "Continued",
        "Stopped (signal)",
        "Stopped",
        "Stopped (tty input)",
        "Stopped (tty output)",
        "Urgent I/O condition",
        "CPU time limit exceeded",
        "File size limit exceeded",
        "Virtual timer expired",
        "Profiling timer expired",
        "Window changed",
        "I/O possible",
        "Power failure",
        "Bad system call",
    ];
    let index = signal.checked_sub(1).and_then(|index| usize::try_from(index).ok());
    index
        .and_then(|index| NAMES.get(index))
        .map_or_else(|| format!("Real-time signal {signal}"), |&name| name.to_owned())
}

#[cfg(test)]
mod tests {
    use orch_core::clock::Timestamp;
    use orch_core::runtime::{ContainerId, ContainerSpec, ResourceLimits};

    use super::*;

    fn after(reason: ExitReason, code: i32) -> Ended {
        let time = Timestamp::default();
        let limits = ResourceLimits { memory_bytes: Some(32 << 20), ..ResourceLimits::default() };
        let id = ContainerId { pod: "a".parse().expect("a uid"), name: "b".parse().expect("a name"), attempt: 0 };
        let message = "no such file".to_owned();
        ended(&ContainerStatus {
            id,
            spec: ContainerSpec { limits, ..ContainerSpec::default() },
            state: ContainerState::Exited { reason, code, started_at: time, finished_at: time, message },
            process: None,
            image_id: None,
        })
        .expect("it ended")
    }

    #[test]
    fn an_end_is_told_in_the_words_of_mesos() {
        for (reason, code, status, why, message) in [
            (ExitReason::Exited, 0, Some(0), None, "Command exited with status 0"),
            (ExitReason::Exited, 3, Some(0x300), None, "Command exited with status 3"),
            (ExitReason::Signaled, 137, Some(9), None, "Command terminated with signal Killed"),
            (ExitReason::Signaled, 143, Some(15), None, "Command terminated with signal Terminated"),
            (
                ExitReason::OutOfMemory,
                137,
                Some(9),
                Some(Reason::ContainerLimitationMemory),
                "Memory limit exceeded: Requested: 32MB",
            ),
            (
                ExitReason::StartError,
                128,
                None,
                Some(Reason::ContainerLaunchFailed),
                "Failed to launch container: no such file",
            ),
        ] {
            assert_eq!(after(reason, code), Ended { status, reason: why, message: message.to_owned() });
        }
        assert!(after(ExitReason::Exited, 0).is_success() && !after(ExitReason::Signaled, 137).is_success());
    }
}
