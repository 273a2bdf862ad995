//! [`Place`]: what the runtime suite needs to know of [`FakeRuntime`].

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::runtime::{ContainerSpec, ExecOutput, Runtime as _};
use orch_runtime::fake::{FakeCommand, FakeProgram, FakeRuntime};
use orch_testkit::suite::runtime::{Beside, Program, RuntimeFixture};

#[derive(Default)]
pub(crate) struct Place {
    runtime: FakeRuntime,
}

#[async_trait]
impl RuntimeFixture for Place {
    type Runtime = FakeRuntime;

    async fn open(&self) -> FakeRuntime {
        self.runtime.clone()
    }

    async fn open_stranger(&self) -> FakeRuntime {
        FakeRuntime::default()
    }

    fn container(&self, program: Program) -> ContainerSpec {
        let script = match program {
            Program::Exits { code, after } => FakeProgram::exits(code, after),
            Program::KillsItself => FakeProgram::exits(137, Duration::ZERO),
            Program::IgnoresStop => FakeProgram::runs().ignoring_stop().writing("ready\n"),
            Program::Forks => FakeProgram::runs().writing("ready\n"),
            Program::WritesAndRuns { lines } => FakeProgram::runs().writing(numbered(lines)),
            Program::WritesAndEnds { lines } => {
                FakeProgram::exits(0, Duration::from_millis(20)).writing(numbered(lines))
            }
            Program::PrintsEnvironment => FakeProgram::exits(0, Duration::ZERO).printing_environment(),
            Program::Floods => FakeProgram::runs().writing("y\n".repeat(1 << 20)),
            Program::IsMissing => FakeProgram::refuses("there is no such program"),
            _ => FakeProgram::runs(),
        };
        let name = format!("{program:?}");
        self.runtime.script(&name, script);
        ContainerSpec { command: vec![name], ..ContainerSpec::default() }
    }

    fn command(&self, command: Beside) -> Vec<String> {
        let script = match command {
            Beside::Ends { code } => {
                FakeCommand::Ends(ExecOutput { code, stdout: b"out".into(), stderr: b"err".into() })
            }
            Beside::Greets => FakeCommand::PrintsVariable("GREETING".into()),
            Beside::Hangs => FakeCommand::Hangs,
            _ => FakeCommand::Missing,
        };
        let name = format!("{command:?}");
        self.runtime.script_exec(&name, script);
        vec![name]
    }

    async fn processes(&self) -> BTreeSet<String> {
        let pods = self.runtime.list().await.expect("a list");
        let containers = pods.iter().flat_map(|pod| &pod.containers);
        containers.filter(|container| container.state.is_running()).map(|container| container.id.to_string()).collect()
    }

    async fn traces(&self) -> BTreeSet<String> {
        let pods = self.runtime.list().await.expect("a list");
        pods.iter().map(|pod| pod.spec.pod.to_string()).collect()
    }
}

fn numbered(lines: u32) -> String {
    (1..=lines).map(|line| format!("line {line}\n")).collect()
}
