//! R10: a container has what its spec asks for, or it is a start that fails and says what cannot be given.

use std::fs;
use std::path::PathBuf;

use orch_core::runtime::{ContainerSpec, LogOptions, Mount, Privileges};
use orch_core::runtime::{ExitReason, Runtime};

use super::steps::{Folder, container, end, ended, id, output, ran, sandbox};
use super::{Ability, Program, RuntimeFixture};

/// Where things are mounted.
const TARGET: &str = "/orch-suite-mount";
/// A file below it.
const FILE: &str = "/orch-suite-mount/file";

/// A folder of the node that is mounted can be read and written at its target.
pub async fn a_folder_is_mounted(fixture: impl RuntimeFixture) {
    let node = Folder::new();
    fs::write(node.path().join("file"), "from the node\n").expect("written");
    open_to_all(&node);
    let mount = |read_only| vec![Mount { source: node.path().to_owned(), target: TARGET.into(), read_only }];
    let show = ContainerSpec { mounts: mount(false), ..fixture.container(Program::ShowsFile { path: FILE }) };
    let write = ContainerSpec { mounts: mount(false), ..fixture.container(Program::WritesFile { path: FILE }) };
    let runtime = fixture.open().await;
    if let Some(shown) = given(&runtime, &fixture, Ability::Mounts, show, &[TARGET]).await {
        assert_eq!(shown, ("from the node\n".into(), 0), "R10: what is on the node is seen at the target");
        let (_, code) = ran(&runtime, &id("a", "write", 0), &write).await.expect("it is given once more");
        assert_eq!(code, 0, "R10: it can be written to");
        assert_eq!(fs::read_to_string(node.path().join("file")).expect("read"), "written\n", "R10: the node sees it");
    }
    runtime.remove(&sandbox("a").pod).await.expect("removed");
    assert!(node.path().join("file").exists(), "R6: what is behind a mount is the node's, and stays");
}

/// What is mounted read-only can be read and not written.
pub async fn a_read_only_mount_cannot_be_written(fixture: impl RuntimeFixture) {
    let node = Folder::new();
    fs::write(node.path().join("file"), "from the node\n").expect("written");
    open_to_all(&node);
    let mounts = vec![Mount { source: node.path().to_owned(), target: TARGET.into(), read_only: true }];
    let show = ContainerSpec { mounts: mounts.clone(), ..fixture.container(Program::ShowsFile { path: FILE }) };
    let write = ContainerSpec { mounts, ..fixture.container(Program::WritesFile { path: FILE }) };
    let runtime = fixture.open().await;
    if let Some(shown) = given(&runtime, &fixture, Ability::Mounts, show, &[TARGET]).await {
        assert_eq!(shown, ("from the node\n".into(), 0), "R10: it can be read");
        let (_, code) = ran(&runtime, &id("a", "write", 0), &write).await.expect("it is given once more");
        assert_eq!(code, 1, "R10: it cannot be written to");
        let text = fs::read_to_string(node.path().join("file")).expect("read");
        assert_eq!(text, "from the node\n", "R10: on the node it is as it was");
    }
    runtime.remove(&sandbox("a").pod).await.expect("removed");
}

/// A single file of the node can be mounted.
pub async fn a_file_is_mounted(fixture: impl RuntimeFixture) {
    let node = Folder::new();
    fs::write(node.path().join("other"), "one file\n").expect("written");
    open_to_all(&node);
    let mounts = vec![Mount { source: node.path().join("other"), target: FILE.into(), read_only: true }];
    let show = ContainerSpec { mounts, ..fixture.container(Program::ShowsFile { path: FILE }) };
    let runtime = fixture.open().await;
    if let Some(shown) = given(&runtime, &fixture, Ability::Mounts, show, &[FILE]).await {
        assert_eq!(shown, ("one file\n".into(), 0), "R10: the file is seen at the target");
    }
    runtime.remove(&sandbox("a").pod).await.expect("removed");
}

/// A mount of what the node does not have is a start that fails, and names it.
pub async fn a_mount_of_nothing_is_a_state(fixture: impl RuntimeFixture) {
    let source = PathBuf::from("/no/such/folder/of-the-node");
    let mounts = vec![Mount { source, target: TARGET.into(), read_only: true }];
    let spec = ContainerSpec { mounts, ..fixture.container(Program::ShowsItself) };
    let runtime = fixture.open().await;
    let message = ran(&runtime, &id("a", "web", 0), &spec).await.expect_err("R10: it is a start that fails");
    assert!(message.contains("of-the-node") || message.contains(TARGET), "R10: it says what is missing: {message}");
    runtime.remove(&sandbox("a").pod).await.expect("removed");
}

/// A container runs as the user and with the groups that it asks for.
pub async fn a_container_has_its_user_and_groups(fixture: impl RuntimeFixture) {
    let groups = [3003, 3004].into();
    let privileges =
        Privileges { user: Some(1001), group: Some(2002), supplemental_groups: groups, ..Privileges::default() };
    let Some(text) = shown(&fixture, Ability::Users, privileges, &["user", "group"]).await else { return };
    assert_eq!((value(&text, "uid"), value(&text, "gid")), ("1001", "2002"), "R10: user and group, in:\n{text}");
    let groups: Vec<_> = value(&text, "groups").split(' ').collect();
    for group in ["2002", "3003", "3004"] {
        assert!(groups.contains(&group), "R10: it is in group {group}: {groups:?}");
    }
    assert!(!groups.contains(&"0"), "R10: it is in no group that it did not ask for: {groups:?}");
    let none: u64 = 0;
    assert_eq!(capabilities(&text), none, "a user that is not root has no capabilities");
}

/// A container that must not run as root is not started as root, whoever says so.
pub async fn one_that_must_not_be_root_is_not(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    for (attempt, user) in [(0, Some(0)), (1, None)] {
        let mut spec = fixture.container(Program::ShowsItself);
        spec.privileges = Privileges { user, non_root: true, ..Privileges::default() };
        match ran(&runtime, &id("a", "web", attempt), &spec).await {
            Err(message) => assert!(message.contains("root"), "R10: it says why: {message}"),
            Ok((text, _)) => assert_ne!(value(&text, "uid"), "0", "R10: it must not be root"),
        }
    }
    runtime.remove(&sandbox("a").pod).await.expect("removed");
}

/// Capabilities are added to those that every container has.
pub async fn capabilities_are_added(fixture: impl RuntimeFixture) {
    const SYS_TIME: u64 = 1 << 25;
    let add = ["SYS_TIME".to_owned()].into();
    let privileges = Privileges {
        user: Some(0),
        drop_capabilities: ["ALL".to_owned()].into(),
        add_capabilities: add,
        ..Privileges::default()
    };
    let Some(text) = shown(&fixture, Ability::Capabilities, privileges, &["SYS_TIME", "user", "ALL"]).await else {
        return;
    };
    assert_eq!(capabilities(&text), SYS_TIME, "R10: all are taken away before some are added, in:\n{text}");
}

/// Capabilities are taken away from those that every container has.
pub async fn capabilities_are_dropped(fixture: impl RuntimeFixture) {
    const CHOWN: u64 = 1;
    let user = Some(0);
    let privileges = Privileges { user, drop_capabilities: ["CHOWN".to_owned()].into(), ..Privileges::default() };
    let Some(text) = shown(&fixture, Ability::Capabilities, privileges, &["CHOWN", "user"]).await else { return };
    assert_eq!(capabilities(&text) & CHOWN, 0, "R10: it is taken away, in:\n{text}");
    assert_ne!(capabilities(&text), 0, "R10: the others are not, in:\n{text}");
}

/// A root file system that is to be read-only is.
pub async fn the_root_is_read_only(fixture: impl RuntimeFixture) {
    let privileges = Privileges { read_only_root: true, ..Privileges::default() };
    let Some(text) = shown(&fixture, Ability::ReadOnlyRoot, privileges, &["read-only"]).await else { return };
    assert_eq!(value(&text, "root"), "read-only", "R10: in:\n{text}");
}

/// A container gains no privileges that it was not started with, unless it may.
pub async fn nothing_is_gained_unless_it_may_be(fixture: impl RuntimeFixture) {
    for (may_gain, no_new_privs) in [(false, "1"), (true, "0")] {
        let privileges = Privileges { may_gain, ..Privileges::default() };
        let runtime = fixture.open().await;
        let spec = ContainerSpec { privileges, ..fixture.container(Program::ShowsItself) };
        match ran(&runtime, &id("a", "web", 0), &spec).await {
            Ok((text, _)) => assert_eq!(value(&text, "no_new_privs"), no_new_privs, "R10: may_gain {may_gain}"),
            Err(message) => assert!(may_gain && message.contains("gain"), "R10: it says why: {message}"),
        }
        runtime.remove(&sandbox("a").pod).await.expect("removed");
    }
}

/// A container has a terminal if it asks for one, and otherwise none.
pub async fn a_terminal_is_given_if_asked_for(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    for tty in [false, true] {
        let spec = ContainerSpec { tty, ..fixture.container(Program::ShowsItself) };
        let names: &[&str] = &["terminal"];
        let Some((text, _)) = (if tty {
            given(&runtime, &fixture, Ability::Terminal, spec, names).await
        } else {
            Some(ran(&runtime, &id("a", "plain", 0), &spec).await.expect("nothing special is asked for"))
        }) else {
            continue;
        };
        let expected = if tty { "yes" } else { "no" };
        assert_eq!(value(&text, "terminal"), expected, "R10: tty {tty}, in:\n{text}");
    }
    runtime.remove(&sandbox("a").pod).await.expect("removed");
}

/// The input of a container is empty unless it asks for one; one that asks waits for what is sent.
pub async fn an_input_is_given_if_asked_for(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let (empty, waits) = (id("a", "empty", 0), id("a", "waits", 0));
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    let spec = ContainerSpec { stdin: true, ..fixture.container(Program::Echoes) };
    runtime.start(&waits, &spec).await.expect("started");
    runtime.start(&empty, &fixture.container(Program::Echoes)).await.expect("started");
    assert_eq!(ended(&runtime, &empty).await, (ExitReason::Exited, 0), "R10: its input is at its end");
    assert_eq!(output(&runtime, &empty, LogOptions::default()).await, "");
    // It was started earlier, and would have ended earlier.
    let status = container(&runtime, &waits).await;
    if fixture.can(Ability::Input) {
        assert!(status.state.is_running(), "R10: it waits for its input: {status:?}");
    } else {
        assert_eq!(end(&status), Some((ExitReason::StartError, 128)), "R10: it is a start that fails");
        let text = format!("{:?}", status.state);
        assert!(text.contains("input"), "R10: it says what cannot be given: {text}");
    }
    runtime.remove(&sandbox("a").pod).await.expect("removed");
}

/// Containers see the host name of their pod.
pub async fn containers_see_the_host_name_of_their_pod(fixture: impl RuntimeFixture) {
    let runtime = fixture.open().await;
    let mut pod = sandbox("a");
    pod.hostname = "a-name-of-its-own".into();
    runtime.create_sandbox(&pod).await.expect("a sandbox is made");
    let shown = ran(&runtime, &id("a", "web", 0), &fixture.container(Program::ShowsItself)).await;
    let (text, _) = shown.expect("nothing special is asked for");
    let sees = value(&text, "hostname") == pod.hostname;
    assert_eq!(sees, fixture.can(Ability::Hostname), "the host name, in:\n{text}");
    runtime.remove(&pod.pod).await.expect("removed");
}

/// What a container shows of itself that asks for privileges; `None` if the runtime says, as it should, that it cannot
/// give them.
async fn shown(
    fixture: &impl RuntimeFixture,
    ability: Ability,
    privileges: Privileges,
    names: &[&str],
) -> Option<String> {
    let runtime = fixture.open().await;
    let spec = ContainerSpec { privileges, ..fixture.container(Program::ShowsItself) };
    let shown = given(&runtime, fixture, ability, spec, names).await;
    runtime.remove(&sandbox("a").pod).await.expect("removed");
    shown.map(|(text, code)| {
        assert_eq!(code, 0, "it shows itself, and ends: {text}");
        text
    })
}

/// What a container wrote and returned; `None` if the runtime says, as it should, that it cannot give what is asked for.
async fn given(
    runtime: &impl Runtime,
    fixture: &impl RuntimeFixture,
    ability: Ability,
    spec: ContainerSpec,
    names: &[&str],
) -> Option<(String, i32)> {
    match (ran(runtime, &id("a", "web", 0), &spec).await, fixture.can(ability)) {
        (Ok(shown), true) => Some(shown),
        (Err(message), false) => {
            let named = names.iter().any(|name| message.contains(name));
            assert!(named, "R10: it says what cannot be given, one of {names:?}: {message}");
            None
        }
        (Ok((text, _)), false) => panic!("R10: it cannot give {ability:?}, and is a start that fails, not:\n{text}"),
        (Err(message), true) => panic!("R10: it can give {ability:?}, but: {message}"),
    }
}

/// The value of a name that a container shows.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let mut values = text.lines().filter_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(' '));
    values.next().unwrap_or_else(|| panic!("the container shows {name:?}, in:\n{text}"))
}

fn capabilities(text: &str) -> u64 {
    u64::from_str_radix(value(text, "capabilities"), 16).expect("a hexadecimal number")
}

/// Whoever a container runs as may use the folder and what is in it.
fn open_to_all(folder: &Folder) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let paths = fs::read_dir(folder.path()).expect("its own folder").map(|entry| entry.expect("an entry").path());
        for path in paths.chain([folder.path().to_owned()]) {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("its own file");
        }
    }
    let _ = folder;
}
