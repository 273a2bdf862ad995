//! The task of a run, as a master is told.

use super::core::{Job, Run};
use super::job::Fetch;
use crate::wire::{
    CommandInfo, DurationInfo, Environment, ExecutorInfo, Resource, Scalar, TaskInfo, Uri, ValueType, Variable,
};

/// The task of a run: on which agent is decided later.
#[must_use]
pub fn task(job: &Job, run: &Run) -> TaskInfo {
    let definition = &job.definition;
    let id = job.task_id(run);
    let environment = Some(Environment { variables: environment(job, run, &id) });
    let user = Some(definition.run_as_user.clone()).filter(|user| !user.is_empty());
    let uris: Vec<Uri> = definition.fetch.iter().map(uri).collect();
    let container = definition.container.as_ref().map(super::job::Container::to_wire);
    let mut task = TaskInfo {
        name: format!("ChronosTask:{}", definition.name),
        task_id: id.as_str().into(),
        resources: [("cpus", definition.cpus), ("mem", definition.mem), ("disk", definition.disk)].map(amount).into(),
        ..TaskInfo::default()
    };
    if definition.max_completion_time > 0 {
        let seconds = i64::try_from(definition.max_completion_time).unwrap_or(i64::MAX);
        task.max_completion_time = Some(DurationInfo { nanoseconds: seconds.saturating_mul(1_000_000_000) });
    }
    if definition.executor.is_empty() {
        task.command = Some(CommandInfo { uris, environment, user, ..command(job, run) });
        task.container = container;
    } else {
        let value = Some(definition.executor.clone());
        let command = Some(CommandInfo { uris, environment, user, value, ..CommandInfo::default() });
        let data = match definition.task_info_data.is_empty() {
            true => format!("{}|{}", definition.executor_flags, definition.command),
            false => definition.task_info_data.clone(),
        };
        let executor_id = id.as_str().into();
        task.executor = Some(ExecutorInfo { executor_id, command, container, ..ExecutorInfo::default() });
        task.data = Some(data.into_bytes());
    }
    task
}

/// What is run: by a shell, with the arguments that were asked for behind it; or a program with its arguments. What is no
/// command is left to the container.
fn command(job: &Job, run: &Run) -> CommandInfo {
    let definition = &job.definition;
    let asked = run.arguments.as_deref().unwrap_or_default();
    let mut info = CommandInfo { shell: Some(definition.shell), ..CommandInfo::default() };
    if definition.shell && !definition.command.is_empty() {
        info.value = Some(format!("{} {asked}", definition.command).trim_end().to_owned());
        return info;
    }
    let given: Vec<String> = match run.arguments {
        Some(_) => asked.split_whitespace().map(str::to_owned).collect(),
        None => definition.arguments.clone(),
    };
    info.shell = Some(false);
    if definition.command.is_empty() {
        info.arguments = given;
    } else {
        info.value = Some(definition.command.clone());
        // The first argument of a program is its own name.
        info.arguments = std::iter::once(definition.command.clone()).chain(given).collect();
    }
    info
}

/// What Chronos sets, which nobody overrides, and what the job says.
fn environment(job: &Job, run: &Run, id: &str) -> Vec<Variable> {
    let definition = &job.definition;
    let own = [
        ("mesos_task_id", id.to_owned()),
        ("MESOS_TASK_ID", id.to_owned()),
        ("CHRONOS_JOB_OWNER", definition.owner.clone()),
        ("CHRONOS_JOB_NAME", definition.name.clone()),
        ("CHRONOS_RESOURCE_MEM", format!("{:?}", definition.mem)),
        ("CHRONOS_RESOURCE_CPU", format!("{:?}", definition.cpus)),
        ("CHRONOS_RESOURCE_DISK", format!("{:?}", definition.disk)),
        ("CHRONOS_JOB_RUN_TIME", run.due.to_string()),
        ("CHRONOS_JOB_RUN_ATTEMPT", run.attempt.to_string()),
    ];
    let theirs = definition.environment.iter();
    let theirs = theirs.filter(|(name, _)| name != "HOST" && own.iter().all(|(taken, _)| taken != name));
    let theirs: Vec<Variable> = theirs.map(|(name, value)| variable(name, value)).collect();
    own.iter().map(|(name, value)| variable(name, value)).chain(theirs).collect()
}

/// A variable of the environment.
pub(super) fn variable(name: &str, value: &str) -> Variable {
    Variable { name: name.to_owned(), value: Some(value.to_owned()), ..Variable::default() }
}

fn uri(fetch: &Fetch) -> Uri {
    Uri {
        value: fetch.uri.clone(),
        executable: Some(fetch.executable),
        extract: Some(fetch.extract),
        cache: Some(fetch.cache),
        output_file: Some(fetch.output_file.clone()).filter(|file| !file.is_empty()),
    }
}

fn amount((name, value): (&str, f64)) -> Resource {
    let mut resource = Resource { name: name.to_owned(), scalar: Some(Scalar { value }), ..Resource::default() };
    resource.set_type(ValueType::Scalar);
    resource
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::chronos::core::{Chronos, Settings};
    use crate::chronos::job::Definition;

    /// The task of a job that is run now, with arguments or without.
    fn task_of(job: &Value, arguments: Option<&str>) -> TaskInfo {
        let now = "2026-11-28T12:00:00Z".parse().expect("a time");
        let mut chronos = Chronos::new(Settings::default());
        let definition = Definition::read(job, &chronos.settings().defaults, now).expect("a job");
        drop(chronos.put(definition, now).expect("it can be"));
        drop(chronos.run_now("a", arguments.map(str::to_owned), now).expect("it can be run"));
        let (job, run) = chronos.waiting(now)[0];
        task(job, run)
    }

    fn env<'a>(task: &'a TaskInfo, name: &str) -> &'a str {
        let variables =
            &task.command.as_ref().and_then(|command| command.environment.as_ref()).expect("variables").variables;
        variables
            .iter()
            .find(|variable| variable.name == name)
            .and_then(|variable| variable.value.as_deref())
            .unwrap_or("")
    }

    #[test]
    fn a_task_is_told_whose_it_is_and_its_own_variables_do_not_hide_that() {
        let job = json!({
            "name": "a", "command": "echo", "owner": "me", "schedule": "R0//PT1H", "runAsUser": "nobody", "maxCompletionTime": 9,
            "environmentVariables": [{ "name": "X", "value": "1" }, { "name": "CHRONOS_JOB_NAME", "value": "other" }],
            "fetch": [{ "uri": "http://h/f", "executable": true }],
        });
        let task = task_of(&job, Some("-x 3"));
        let id = "ct:1795867200000:0:a:-x 3";
        assert_eq!((task.name.as_str(), task.task_id.value.as_str()), ("ChronosTask:a", id));
        let expected = [("mesos_task_id", id), ("CHRONOS_JOB_NAME", "a"), ("CHRONOS_JOB_OWNER", "me"), ("X", "1")];
        for (name, value) in expected.into_iter().chain([
            ("CHRONOS_JOB_RUN_TIME", "1795867200000"),
            ("CHRONOS_JOB_RUN_ATTEMPT", "0"),
            ("CHRONOS_RESOURCE_MEM", "128.0"),
        ]) {
            assert_eq!(env(&task, name), value, "{name}");
        }
        let command = task.command.as_ref().expect("a command");
        assert_eq!((command.value.as_deref(), command.user.as_deref()), (Some("echo -x 3"), Some("nobody")));
        assert_eq!(command.uris[0].executable, Some(true));
        assert_eq!(task.max_completion_time.map(|time| time.nanoseconds), Some(9_000_000_000));
    }

    #[test]
    fn a_program_is_given_its_name_and_its_arguments() {
        let job = json!({ "name": "a", "command": "/bin/echo", "shell": false, "arguments": ["a b", "c"] });
        let arguments = |task: TaskInfo| task.command.expect("a command").arguments;
        assert_eq!(arguments(task_of(&job, None)), ["/bin/echo", "a b", "c"]);
        assert_eq!(arguments(task_of(&job, Some("d  e"))), ["/bin/echo", "d", "e"]);
        let image = json!({ "name": "a", "container": { "image": "busybox" }, "arguments": ["x"] });
        let command = task_of(&image, None).command.expect("a command");
        assert_eq!((command.value, command.shell, command.arguments), (None, Some(false), vec!["x".to_owned()]));
    }

    #[test]
    fn an_executor_of_its_own_is_given_the_command() {
        let job = json!({ "name": "a", "command": "what", "executor": "./own", "executorFlags": "-f" });
        let task = task_of(&job, None);
        let executor = task.executor.expect("an executor");
        assert_eq!(executor.command.and_then(|command| command.value).as_deref(), Some("./own"));
        assert_eq!((task.data, task.command), (Some(b"-f|what".to_vec()), None));
    }
}
