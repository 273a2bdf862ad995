//! [`Place`]: what the runtime suite needs to know of [`FakeRuntime`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::runtime::{ContainerId, ContainerSpec, Credentials, ExecOutput, ImageName, Images, PodUid, Runtime};
use orch_runtime::fake::{FakeCommand, FakeImage, FakeProgram, FakePull, FakeRuntime, FakeUsage};
use orch_testkit::suite::images::{ImagesFixture, RegistryNames};
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
            Program::ForksWithoutEnd => {
                FakeProgram::runs().writing("ready\n").using(FakeUsage { processes: 301, ..FakeUsage::default() })
            }
            Program::UsesProcessor => {
                FakeProgram::runs().using(FakeUsage { cpu_millis: 1000, memory_bytes: 1 << 20, processes: 1 })
            }
            Program::UsesMemory => {
                FakeProgram::exits(0, Duration::ZERO).using(FakeUsage { memory_bytes: 1 << 40, ..FakeUsage::default() })
            }
            Program::ShowsItself => FakeProgram::exits(0, Duration::ZERO).printing_itself(),
            Program::ShowsFile { path } => FakeProgram::exits(0, Duration::ZERO).printing_file(path),
            Program::WritesFile { path } => FakeProgram::exits(0, Duration::ZERO).writing_file(path, "written\n"),
            Program::Echoes => FakeProgram::runs().echoing(),
            Program::Serves { port } => FakeProgram::runs().serving(port),
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
            Beside::Hangs => FakeCommand::Hangs(Vec::new()),
            Beside::Forks => FakeCommand::Hangs(b"ready\n".into()),
            Beside::Floods => FakeCommand::Floods,
            Beside::Echoes => {
                FakeCommand::Echoes(ExecOutput { code: 7, stderr: b"done\n".into(), ..ExecOutput::default() })
            }
            Beside::TellsTerminal => FakeCommand::TellsTerminal,
            _ => FakeCommand::Missing,
        };
        let name = format!("{command:?}");
        self.runtime.script_exec(&name, script);
        vec![name]
    }

    async fn processes(&self) -> BTreeSet<String> {
        let pods = Runtime::list(&self.runtime).await.expect("a list");
        let containers = pods.iter().flat_map(|pod| &pod.containers);
        let running = containers.filter(|container| container.state.is_running());
        let commands = (0..self.runtime.commands()).map(|number| format!("command {number}"));
        running.map(|container| container.id.to_string()).chain(commands).collect()
    }

    async fn traces(&self) -> BTreeSet<String> {
        let pods = Runtime::list(&self.runtime).await.expect("a list");
        pods.iter().map(|pod| pod.spec.pod.to_string()).collect()
    }

    async fn destroy_sandbox(&self, pod: &PodUid) -> bool {
        self.runtime.destroy_sandbox(pod)
    }

    async fn kill_behind_back(&self, id: &ContainerId) -> bool {
        self.runtime.crash(id, 137)
    }

    async fn remove_behind_back(&self, id: &ContainerId) -> bool {
        self.runtime.lose(id)
    }
}

#[async_trait]
impl ImagesFixture for Place {
    fn images(&self, runtime: &FakeRuntime) -> Arc<dyn Images> {
        runtime.require_images();
        Arc::new(runtime.clone())
    }

    fn archive(&self, name: &ImageName, number: u32) -> Vec<u8> {
        FakeImage { name: name.clone(), content: format!("content {number}") }.archive()
    }

    async fn registry(&self) -> Option<RegistryNames> {
        let name = |text: &str| text.parse::<ImageName>().expect("a valid name");
        let credentials = Credentials { username: "ann".into(), password: "a secret".into() };
        let names = RegistryNames {
            there: name("there"),
            missing: name("missing"),
            damaged: Some(name("damaged")),
            secret: Some((name("secret"), credentials.clone())),
            down: name("down.invalid/image"),
        };
        self.runtime.publish(names.there.clone(), FakePull::Gives("content".into()));
        self.runtime.publish(name("damaged"), FakePull::Damaged);
        self.runtime.publish(name("secret"), FakePull::GivesTo(credentials, "content".into()));
        self.runtime.publish(names.down.clone(), FakePull::Down);
        Some(names)
    }
}

fn numbered(lines: u32) -> String {
    (1..=lines).map(|line| format!("line {line}\n")).collect()
}
