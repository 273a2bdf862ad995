//! What others do on the host, in the words of the stock program.

use std::fs;
use std::process::Command;

/// Has `ip` obey on the host, and tells what it answers.
pub(crate) fn asked(program: &str, words: &str) -> String {
    let output = Command::new(program).args(words.split_whitespace()).output().expect("iproute2 is installed");
    assert!(output.status.success(), "{program} {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn ip(words: &str) {
    asked("ip", words);
}

/// The host passes nothing on any more.
pub(crate) fn stop_forwarding() {
    for path in ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"] {
        fs::write(path, "0").expect("root may turn it off");
    }
}
