//! Starts programs that end with this process.

use std::io;
use std::process::{Child, Command};
use std::sync::{LazyLock, mpsc};
use std::thread;

/// A command that dies by SIGKILL when this process ends, however it does: what `setpriv --pdeathsig` asks of Linux.
pub(super) fn bound_to_this_process(program: &std::path::Path) -> Command {
    let mut command = Command::new(super::program::path_of("setpriv", "util-linux"));
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// Starts `command` from a thread that lives as long as the process: Linux sends the parent's death signal when the
/// *thread* ends that started a child, and each test has a thread of its own.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static ORDERS: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        let serve = move || {
            for (mut command, answer) in orders {
                // Who asked is waiting for the answer.
                let _ = answer.send(command.spawn());
            }
        };
        thread::Builder::new().name("daemons".to_owned()).spawn(serve).expect("the operating system gives a thread");
        sender
    });
    let (answer, started) = mpsc::channel();
    ORDERS.send((command, answer)).expect("the thread that starts daemons never ends");
    started.recv().expect("the thread that starts daemons answers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_outlives_the_thread_that_wanted_it() {
        let start = || {
            let mut command = bound_to_this_process("cat".as_ref());
            command.stdin(std::process::Stdio::piped());
            spawn(command).expect("`cat` starts")
        };
        let mut child = thread::spawn(start).join().expect("it starts");
        // Had it been killed with the thread, it would not end by itself.
        drop(child.stdin.take());
        assert!(child.wait().expect("its end").success());
    }
}
