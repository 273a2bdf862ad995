//! What went over the network devices of a process.

use std::fs;
use std::io;

use orch_core::runtime::NetworkStats;

/// What went over the network that a process has, its loopback device aside.
///
/// # Errors
/// When there is no such process, or the kernel does not tell.
pub fn network_of(pid: u32) -> io::Result<NetworkStats> {
    Ok(parse(&fs::read_to_string(format!("/proc/{pid}/net/dev"))?))
}

/// See proc_pid_net(5): two lines of headings, then a device a line.
fn parse(text: &str) -> NetworkStats {
    let mut stats = NetworkStats::default();
    for (device, counters) in text.lines().filter_map(|line| line.split_once(':')) {
        let counters: Vec<u64> = counters.split_ascii_whitespace().map_while(|number| number.parse().ok()).collect();
        let [received_bytes, _, receive_errors, _, _, _, _, _, sent_bytes, _, send_errors, ..] = counters[..] else {
            continue;
        };
        if device.trim() != "lo" {
            stats.received_bytes += received_bytes;
            stats.receive_errors += receive_errors;
            stats.sent_bytes += sent_bytes;
            stats.send_errors += send_errors;
        }
    }
    stats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_but_the_loopback_counts() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     500       5    0    0    0     0          0         0      500       5    0    0    0     0       0          0
  eth0:    1000      10    1    2    0     0          0         0     2000      20    3    0    0     0       0          0
  eth1:1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0
damaged: x";
        let expected = NetworkStats { received_bytes: 1001, sent_bytes: 2002, receive_errors: 1, send_errors: 3 };
        assert_eq!(parse(text), expected);
        assert_eq!(parse(""), NetworkStats::default());
    }
}
