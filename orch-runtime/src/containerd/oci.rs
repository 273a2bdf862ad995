//! The OCI runtime specification, as far as it is used here: what runc reads.

use std::path::PathBuf;

use serde::Serialize;

macro_rules! objects {
    ($($name:ident { $($(#[$field:meta])* $member:ident: $type:ty,)* })*) => { $(
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name { $($(#[$field])* pub(super) $member: $type,)* }
    )* };
}

objects! {
    Spec {
        oci_version: &'static str,
        process: Process,
        root: Root,
        #[serde(skip_serializing_if = "Option::is_none")] hostname: Option<String>,
        mounts: Vec<Mount>,
        linux: Linux,
    }

    Process {
        terminal: bool,
        user: User,
        args: Vec<String>,
        env: Vec<String>,
        cwd: PathBuf,
        capabilities: Capabilities,
        no_new_privileges: bool,
    }

    User {
        uid: u32,
        gid: u32,
        additional_gids: Vec<u32>,
    }

    Capabilities {
        bounding: Vec<String>,
        effective: Vec<String>,
        permitted: Vec<String>,
    }

    Root {
        path: &'static str,
        readonly: bool,
    }

    Mount {
        destination: PathBuf,
        #[serde(rename = "type")] kind: &'static str,
        source: PathBuf,
        options: Vec<&'static str>,
    }

    Linux {
        namespaces: Vec<Namespace>,
        cgroups_path: String,
        resources: Resources,
        masked_paths: Vec<&'static str>,
        readonly_paths: Vec<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")] seccomp: Option<Seccomp>,
    }

    Namespace {
        #[serde(rename = "type")] kind: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")] path: Option<PathBuf>,
    }

    Resources {
        devices: Vec<Device>,
        #[serde(skip_serializing_if = "Option::is_none")] memory: Option<Memory>,
        #[serde(skip_serializing_if = "Option::is_none")] cpu: Option<Cpu>,
        #[serde(skip_serializing_if = "Option::is_none")] pids: Option<Pids>,
    }

    Device {
        allow: bool,
        access: &'static str,
    }

    Memory {
        limit: i64,
        #[serde(skip_serializing_if = "Option::is_none")] swap: Option<i64>,
    }

    Cpu {
        #[serde(skip_serializing_if = "Option::is_none")] shares: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")] quota: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")] period: Option<u64>,
    }

    Pids {
        limit: i64,
    }

    Seccomp {
        default_action: &'static str,
        architectures: Vec<&'static str>,
        syscalls: Vec<Syscalls>,
    }

    Syscalls {
        names: Vec<&'static str>,
        action: &'static str,
        errno_ret: u32,
    }
}
