//! What root can give to processes.

use std::fs;

use orch_core::runtime::{ContainerId, ContainerSpec, ExitReason, Mount, Privileges, Runtime as _};
use orch_testkit::suite::run;
use orch_testkit::suite::runtime::{Program, RuntimeFixture as _};

use crate::faults::{sandbox, web};
use crate::place::{Place, ended, eventually, is_root, output};

/// What a script writes that is run with these mounts, and whether it succeeded.
async fn with_mounts(place: &Place, mounts: Vec<Mount>, script: &str) -> (String, (ExitReason, i32)) {
    let runtime = place.open().await;
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
    runtime.start(&web(0), &ContainerSpec { mounts, ..place.script(script) }).await.expect("a start");
    let end = eventually(async || ended(&runtime, &web(0)).await).await;
    let text = output(&runtime, &web(0)).await;
    runtime.remove(&web(0).pod).await.expect("removed");
    (text, end)
}

#[test]
fn what_is_there_can_be_mounted_over_where_nobody_else_sees_it() {
    if !is_root() {
        return;
    }
    run(async {
        let place = Place::new();
        let (source, target) = (place.root().with_file_name("source"), place.root().with_file_name("target"));
        for folder in [&source, &target] {
            fs::create_dir(folder).expect("a folder");
            fs::write(folder.join("file"), folder.display().to_string()).expect("written");
        }
        let file = target.join("file");
        let script = format!("cat {}; echo more >> {}", file.display(), file.display());
        for (read_only, code) in [(false, 0), (true, 2)] {
            let mounts = vec![Mount { source: source.clone(), target: target.clone(), read_only }];
            let (text, end) = with_mounts(&place, mounts, &script).await;
            assert!(text.starts_with(&source.display().to_string()), "{text}");
            assert_eq!(end, (ExitReason::Exited, code), "read-only {read_only}: {text}");
        }
        assert_eq!(fs::read_to_string(&file).expect("read"), target.display().to_string(), "here it is as it was");
        assert!(fs::read_to_string(source.join("file")).expect("read").ends_with("more\n"));
    });
}

#[test]
fn another_user_has_a_working_folder_of_its_own() {
    if !is_root() {
        return;
    }
    run(async {
        let place = Place::with_groups();
        let runtime = place.open().await;
        runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox");
        let privileges = Privileges { user: Some(1234), non_root: true, ..Privileges::default() };
        let script = "echo text > file && cat file; id -u; cat /proc/self/cgroup";
        let spec = ContainerSpec { privileges, ..place.script(script) };
        runtime.start(&web(0), &spec).await.expect("a start");
        eventually(async || ended(&runtime, &web(0)).await).await;
        let text = output(&runtime, &web(0)).await;
        assert!(text.starts_with("text\n1234\n"), "{text}");
        assert!(text.contains("/orch-process-test/"), "it is in a group of its own: {text}");
        runtime.remove(&web(0).pod).await.expect("removed");
    });
}

#[test]
fn the_group_of_a_container_goes_with_it_also_when_its_shim_was_killed() {
    if !is_root() {
        return;
    }
    run(async {
        let place = Place::with_groups();
        let runtime = place.open().await;
        let id = ContainerId { pod: sandbox("grouped").pod, ..web(0) };
        runtime.create_sandbox(&sandbox("grouped")).await.expect("a sandbox");
        runtime.start(&id, &place.container(Program::Forks)).await.expect("a start");
        eventually(async || output(&runtime, &id).await.contains("ready").then_some(())).await;
        assert_ne!(place.groups(), Vec::<std::path::PathBuf>::new());
        let [shim] = place.shims()[..] else { panic!("there is one shim") };
        std::process::Command::new("kill").args(["-9", &shim.to_string()]).status().expect("there is a program `kill`");
        let end = eventually(async || ended(&runtime, &id).await).await;
        assert_eq!(end, (ExitReason::Unknown, 137));
        assert_eq!(place.processes().await, [].into(), "also what left its session");
        runtime.remove(&id.pod).await.expect("removed");
        assert_eq!(place.groups(), Vec::<std::path::PathBuf>::new());
    });
}
