//! A container's own input and output, and its ports.

use std::time::Duration;

use futures::SinkExt as _;
use orch_core::runtime::{ContainerId, ContainerSpec, Input, Interactive, Runtime, RuntimeError, Session};

use super::steps::{Heard, running, send};
use crate::suite::runtime::steps::{PATIENCE, container, end, ended, eventually, id, pod, sandbox, started};
use crate::suite::runtime::{Ability, Program, RuntimeFixture};

/// The port that is forwarded.
const PORT: u16 = 8642;

/// Who attaches sees the output from then on, passes input on, and is told the end.
pub async fn output_and_input_are_passed_on(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let runtime = fixture.open().await;
    if !fixture.can(Ability::Input) {
        // There is output all the same.
        return output_is_passed_on(&runtime, &fixture).await;
    }
    let id = id("a", "web", 0);
    let spec = ContainerSpec { stdin: true, ..fixture.container(Program::Echoes) };
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    runtime.start(&id, &spec).await.expect("started");
    let mut session = runtime.attach(&id).await.expect("somebody attaches");
    let mut heard = Heard::default();
    for text in ["hello\n", "once more\n"] {
        send(&mut session, text).await;
        heard.until(&mut session, text).await;
    }
    session.input.send(Input::End).await.expect("the end of its input");
    let heard = heard.rest(&mut session).await;
    assert_eq!(heard.text(), "hello\nonce more\n", "T1: what it writes from then on, to the last byte");
    assert_eq!(heard.code, Some(0), "T1: how it ended is told, last");
    assert!(ended(&runtime, &id).await.1 == 0);
    runtime.remove(&id.pod).await.expect("removed");
}

async fn output_is_passed_on(runtime: &impl Interactive, fixture: &impl RuntimeFixture) {
    let id = id("a", "web", 0);
    started(runtime, fixture, &id, Program::Floods).await;
    let mut session = runtime.attach(&id).await.expect("somebody attaches");
    Heard::default().until(&mut session, "y\ny\n").await;
    runtime.remove(&id.pod).await.expect("removed");
}

/// Who attaches to a container with a terminal uses that terminal.
pub async fn a_terminal_is_passed_on(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    if !fixture.can(Ability::Terminal) || !fixture.can(Ability::Input) {
        return;
    }
    let runtime = fixture.open().await;
    let id = id("a", "web", 0);
    let spec = ContainerSpec { stdin: true, tty: true, ..fixture.container(Program::Echoes) };
    runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    runtime.start(&id, &spec).await.expect("started");
    let mut session = runtime.attach(&id).await.expect("somebody attaches");
    send(&mut session, "hello\n").await;
    // What is typed is shown by the terminal, and then written by the program; a terminal ends lines so.
    Heard::default().until(&mut session, "hello\r\nhello\r\n").await;
    drop(session);
    runtime.remove(&id.pod).await.expect("removed");
}

/// What is sent to a container that did not ask for an input is dropped.
pub async fn input_that_was_not_asked_for_is_dropped(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let (runtime, id) = running(&fixture).await;
    let mut session = runtime.attach(&id).await.expect("somebody attaches");
    for _ in 0..3 {
        send(&mut session, "nobody reads it\n").await;
    }
    session.input.send(Input::End).await.expect("nor its end");
    assert!(container(&runtime, &id).await.state.is_running(), "the container goes on");
    runtime.stop(&id, Duration::from_secs(20)).await.expect("stopped");
    let heard = Heard::default().rest(&mut session).await;
    assert_eq!(heard.text(), "", "it wrote nothing");
    assert_eq!(heard.code, end(&container(&runtime, &id).await).map(|(_, code)| code), "how it ended is told");
    runtime.remove(&id.pod).await.expect("removed");
}

/// When somebody who attached or forwarded a port goes, the container goes on, and others can come.
pub async fn the_container_does_not_notice_who_leaves(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let runtime = fixture.open().await;
    let id = serving(&runtime, &fixture).await;
    let before = container(&runtime, &id).await;
    for _ in 0..3 {
        let attached = runtime.attach(&id).await.expect("somebody attaches");
        let mut connection = connected(&runtime, &id).await;
        send(&mut connection, "half a wo").await;
        drop((attached, connection));
        assert_eq!(container(&runtime, &id).await, before, "T3: the container does not notice");
    }
    let mut connection = connected(&runtime, &id).await;
    send(&mut connection, "hello").await;
    Heard::default().until(&mut connection, "hello").await;
    drop(connection);
    runtime.remove(&id.pod).await.expect("removed");
}

/// A connection to a port of the pod carries what is sent both ways.
pub async fn a_port_is_forwarded_both_ways(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let runtime = fixture.open().await;
    let id = serving(&runtime, &fixture).await;
    let mut connection = connected(&runtime, &id).await;
    let mut heard = Heard::default();
    let long = "0123456789abcdef".repeat(4096);
    for text in ["hello", &long, "good bye"] {
        send(&mut connection, text).await;
        heard.until(&mut connection, text).await;
    }
    assert_eq!(heard.text(), format!("hello{long}good bye"), "T1: what is sent comes back, once and whole");
    connection.input.send(Input::End).await.expect("the end of what is sent");
    let heard = heard.rest(&mut connection).await;
    assert_eq!(heard.code, None, "a connection has no exit code");
    runtime.remove(&id.pod).await.expect("removed");
}

/// A connection to a port where nobody listens is Refused; without a pod it is NoSuchPod.
pub async fn a_port_where_nobody_listens_is_refused(fixture: impl RuntimeFixture<Runtime: Interactive>) {
    let (runtime, id) = running(&fixture).await;
    let result = runtime.port_forward(&id.pod, PORT).await;
    assert!(matches!(result, Err(RuntimeError::Refused { port: PORT, .. })), "Refused, not {result:?}");
    let result = runtime.port_forward(&pod("b"), PORT).await;
    assert!(matches!(result, Err(RuntimeError::NoSuchPod { .. })), "NoSuchPod, not {result:?}");
    runtime.remove(&id.pod).await.expect("removed");
}

/// A container that serves the port, once it does.
async fn serving(runtime: &impl Interactive, fixture: &impl RuntimeFixture) -> ContainerId {
    let id = id("a", "web", 0);
    let pod = runtime.create_sandbox(&sandbox("a")).await.expect("a sandbox is made");
    let mut spec = fixture.container(Program::Serves { port: PORT });
    spec.env.extend(pod.ip.map(|ip| ("POD_IP".to_owned(), ip.to_string())));
    runtime.start(&id, &spec).await.expect("started");
    connected(runtime, &id).await;
    id
}

/// A connection, as soon as somebody listens.
async fn connected(runtime: &impl Interactive, id: &ContainerId) -> Session {
    let what = format!("port {PORT} must be forwarded within {PATIENCE:?}");
    eventually(&what, async || match runtime.port_forward(&id.pod, PORT).await {
        Ok(session) => Some(session),
        Err(RuntimeError::Refused { .. }) => None,
        Err(error) => panic!("Refused until it listens, not {error}"),
    })
    .await
}
