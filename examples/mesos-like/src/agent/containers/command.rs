//! What a command is, as the program and the arguments that a runtime is given.

use super::launch::LaunchError;
use crate::wire::{CommandInfo, VariableType};

/// The shell of commands that want one.
const SHELL: &str = "/bin/sh";

/// Where a command is looked up if nobody says.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// In what a command is run, as far as it matters for what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// The machine.
    Host,
    /// An image, as Mesos runs it: a program replaces the image's own.
    Image,
    /// An image, as Docker runs it: what is given are arguments of the image's own program.
    Docker,
}

/// A program and its arguments, as in a container's spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) command: Vec<String>,
    pub(super) args: Vec<String>,
    /// Whether its output has to be taken from the runtime: it goes into no file by itself.
    pub(super) copy_output: bool,
}

/// What is run, with its output going into files below `sandbox`, which is where it sees its sandbox.
pub(super) fn program(command: &CommandInfo, within: Within, sandbox: &str) -> Result<Program, LaunchError> {
    let value = command.value.as_deref().filter(|value| !value.is_empty());
    if command.shell() {
        let Some(value) = value else {
            let message = "Shell command is not specified: set `command.value`, or `command.shell` to false";
            return Err(LaunchError::failed(message));
        };
        let words = [SHELL, "-c", value].map(str::to_owned).to_vec();
        return Ok(Program { command: redirected(words, sandbox), ..Program::default() });
    }
    let words = |value: Option<&str>, arguments: &[String]| -> Vec<String> {
        value.map(str::to_owned).into_iter().chain(arguments.iter().cloned()).collect()
    };
    match (within, value) {
        (Within::Host, None) => Err(LaunchError::failed("Executable is not specified: set `command.value`")),
        // The first argument is what the program is to call itself.
        (Within::Host, Some(_)) => {
            let words = words(value, command.arguments.get(1..).unwrap_or_default());
            Ok(Program { command: redirected(words, sandbox), ..Program::default() })
        }
        (Within::Image, Some(_)) => {
            let command = words(value, command.arguments.get(1..).unwrap_or_default());
            Ok(Program { command, copy_output: true, ..Program::default() })
        }
        (Within::Image, None) | (Within::Docker, _) => {
            let args = words(value, &command.arguments);
            Ok(Program { args, copy_output: true, ..Program::default() })
        }
    }
}

/// The same words, run by a shell that first sends their output into the sandbox. The process is theirs in the end.
fn redirected(words: Vec<String>, sandbox: &str) -> Vec<String> {
    const SCRIPT: &str = r#"exec >>"$0/stdout" 2>>"$0/stderr" && exec "$@""#;
    [SHELL, "-c", SCRIPT, sandbox].map(str::to_owned).into_iter().chain(words).collect()
}

/// The variables of a command.
pub(super) fn variables(command: &CommandInfo) -> Result<Vec<(String, String)>, LaunchError> {
    let variables = command.environment.iter().flat_map(|environment| &environment.variables);
    variables
        .map(|variable| {
            let name = &variable.name;
            let value = match variable.r#type() {
                VariableType::Secret => {
                    let secret = variable.secret.as_ref().and_then(|secret| secret.value.as_ref());
                    let secret = secret.and_then(|secret| String::from_utf8(secret.data.clone()).ok());
                    secret.ok_or_else(|| {
                        LaunchError::failed(format!(
                            "the secret of the variable {name} is not given by its value, as text: there is no other way"
                        ))
                    })?
                }
                _ => variable.value.clone().unwrap_or_default(),
            };
            Ok((name.clone(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(shell: bool, value: Option<&str>, arguments: &[&str]) -> CommandInfo {
        CommandInfo {
            shell: Some(shell),
            value: value.map(str::to_owned),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            ..CommandInfo::default()
        }
    }

    fn words(within: Within, command: &CommandInfo) -> (Vec<String>, Vec<String>, bool) {
        let Program { command, args, copy_output } = program(command, within, "/box").expect("a program");
        // What sends output elsewhere is the same in all of them.
        (
            command.strip_prefix(&redirected(Vec::new(), "/box")[..]).map_or(command.clone(), <[_]>::to_vec),
            args,
            copy_output,
        )
    }

    #[test]
    fn a_command_means_what_it_means_to_mesos() {
        let strings = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let shell = command(true, Some("echo $A"), &["ignored"]);
        for within in [Within::Host, Within::Image, Within::Docker] {
            assert_eq!(words(within, &shell), (strings(&["/bin/sh", "-c", "echo $A"]), Vec::new(), false));
        }
        let direct = command(false, Some("/bin/ls"), &["ls", "-l"]);
        assert_eq!(words(Within::Host, &direct), (strings(&["/bin/ls", "-l"]), Vec::new(), false));
        assert_eq!(words(Within::Image, &direct), (strings(&["/bin/ls", "-l"]), Vec::new(), true));
        assert_eq!(words(Within::Docker, &direct), (Vec::new(), strings(&["/bin/ls", "ls", "-l"]), true));
        let of_image = command(false, None, &["-v"]);
        assert_eq!(words(Within::Image, &of_image), (Vec::new(), strings(&["-v"]), true));
    }

    #[test]
    fn what_is_no_command_is_refused_with_what_to_set() {
        for (within, wrong) in [
            (Within::Host, command(true, None, &["a"])),
            (Within::Docker, command(true, Some(""), &[])),
            (Within::Host, command(false, None, &["a"])),
        ] {
            let error = program(&wrong, within, "/box").expect_err("no program");
            assert!(error.message.contains("command.value"), "{error}");
        }
    }
}
