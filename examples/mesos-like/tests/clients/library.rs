//! [`Library`]: a library of others, and the programs that use it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A library that was found.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    pub(crate) name: &'static str,
    folder: PathBuf,
}

/// What a program said, a line of JSON each.
#[derive(Debug)]
pub(crate) struct Said(Vec<Value>);

impl Library {
    /// A library, or why it is not there.
    pub(crate) fn find(name: &'static str) -> Result<Self, String> {
        let programs = std::env::var_os("ORCH_PARTS").ok_or("ORCH_PARTS is not set: run it with cargo")?;
        let parts = Path::new(&programs).ancestors().nth(2).ok_or("ORCH_PARTS is no folder of programs")?;
        let folder = parts.join("mesos-clients");
        let is_there = fs::read_dir(&folder).into_iter().flatten().flatten().any(|entry| {
            let file = entry.file_name().to_string_lossy().into_owned();
            file.starts_with(&format!("{name}-")) && file.ends_with(".there")
        });
        match is_there {
            true => Ok(Self { name, folder }),
            false => Err(fs::read_to_string(folder.join(format!("{name}.missing")))
                .unwrap_or_else(|_| "it was not installed: `cargo xtask test` does that".to_owned())),
        }
    }

    /// Runs one of the programs here to its end, and returns what it said.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Said {
        let output = self.command(program, arguments).output().expect("the program starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        let said = Said::of(&output.stdout);
        assert!(output.status.success(), "{program} {arguments:?}: {}\n{said:?}\n{errors}", output.status);
        said
    }

    /// How one of the programs here is started.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/programs").join(program);
        let mut command = match program.ends_with(".js") {
            true => {
                let mut node = Command::new("node");
                node.env("NODE_PATH", self.folder.join("node/node_modules"));
                node
            }
            false => Command::new(self.folder.join("python/bin/python")),
        };
        command.arg(source).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
        // Some write logs where they are.
        command.current_dir(std::env::temp_dir());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Said {
    pub(crate) fn of(text: &[u8]) -> Self {
        Self(String::from_utf8_lossy(text).lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// The first event of this name.
    pub(crate) fn event(&self, name: &str) -> &Value {
        self.0.iter().find(|event| event["event"] == name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |event| event["event"] == name)
    }

    /// The states of a task, in the order in which they were told.
    pub(crate) fn states(&self, task: &str) -> Vec<&str> {
        let of_task = self.all("update").filter(|update| update["task"] == task);
        of_task.filter_map(|update| update["state"].as_str()).collect()
    }

    /// The process of a task, as it was first told.
    pub(crate) fn pid(&self, task: &str) -> u32 {
        let of_task = self.all("update").filter(|update| update["task"] == task);
        let pid = of_task.filter_map(|update| update["pid"].as_u64()).next();
        pid.unwrap_or_else(|| panic!("no process of {task} in {self:?}")).try_into().expect("a pid")
    }
}

/// Runs what is asynchronous to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}
