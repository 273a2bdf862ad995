//! Tasks that run as users other than the agent's. They need root.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use mesos_like::wire::{CommandInfo, ExecutorType, TaskInfo, TaskState, Uri};
use nix::unistd::{Uid, User};

use crate::place::{Executor, Place, script};

fn other() -> User {
    assert!(Uid::effective().is_root(), "this test needs root: run it as root");
    User::from_name("nobody").expect("users can be read").expect("there is the user nobody")
}

#[tokio::test]
async fn a_task_is_its_user_and_gets_nothing_that_its_user_may_not_read() {
    let (user, place) = (other(), Place::new());
    let containers = place.open().await;
    let (open, secret) = (place.path().join("open"), place.path().join("secret"));
    fs::write(&open, "open").expect("a file");
    fs::write(&secret, "secret").expect("a file");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("its mode");
    let as_user = |uri: &std::path::Path| {
        let command = CommandInfo {
            value: Some("id -u; cat open; touch mine".to_owned()),
            user: Some(user.name.clone()),
            uris: vec![Uri { value: uri.display().to_string(), cache: Some(false), ..Uri::default() }],
            ..CommandInfo::default()
        };
        TaskInfo { command: Some(command), ..script("t", "") }
    };
    let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
    executor.launch(as_user(&open)).await;
    executor.runs().await;
    executor.told(TaskState::Finished).await;
    executor.ends().await;
    assert_eq!(place.written("stdout"), format!("{}\nopen", user.uid));
    let mine = fs::metadata(place.sandbox().join("mine")).expect("it made a file");
    assert_eq!(mine.uid(), user.uid.as_raw());

    for cache in [false, true] {
        let mut task = as_user(&secret);
        task.command.as_mut().expect("it has one").uris[0].cache = Some(cache);
        let mut executor = Executor::start(&containers, &place, ExecutorType::Unknown);
        executor.launch(task).await;
        executor.told(TaskState::Starting).await;
        let failed = executor.told(TaskState::Failed).await;
        assert!(failed.message.expect("it says why").contains("Permission denied"));
        executor.ends().await;
        assert!(!place.sandbox().join("secret").exists());
    }
    containers.close().await;
}
