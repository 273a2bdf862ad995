//! [`Output`]: what a container of the fake wrote, and when.

use orch_core::clock::Timestamp;
use orch_core::runtime::LogOptions;

/// Everything that was written.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    /// From which byte on what was written at which time.
    times: Vec<(usize, Timestamp)>,
}

impl Output {
    pub(super) fn write(&mut self, now: Timestamp, bytes: &[u8]) {
        self.times.push((self.bytes.len(), now));
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where the lines begin that are asked for.
    pub(super) fn start(&self, options: LogOptions) -> usize {
        let Some(lines) = options.tail else { return 0 };
        let mut start = self.bytes.len();
        let mut left = lines;
        for line in self.bytes.split_inclusive(|byte| *byte == b'\n').rev() {
            if left == 0 {
                return start;
            }
            let begins = start_of(&self.bytes[..start], line);
            left -= usize::from(self.is_shown(begins, options));
            start = begins;
        }
        if left == 0 { start } else { 0 }
    }

    /// What is asked for, from a byte on.
    pub(super) fn read(&self, from: usize, options: LogOptions) -> Vec<u8> {
        let rest = &self.bytes[from..];
        if options.since.is_none() && !options.timestamps {
            return rest.to_vec();
        }
        let (mut read, mut at) = (Vec::new(), from);
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            if self.is_shown(at, options) {
                let begins = at == 0 || self.bytes[at - 1] == b'\n';
                if begins && options.timestamps {
                    read.extend_from_slice(format!("{:.9} ", self.time(at)).as_bytes());
                }
                read.extend_from_slice(line);
            }
            at += line.len();
        }
        read
    }

    fn is_shown(&self, at: usize, options: LogOptions) -> bool {
        options.since.is_none_or(|since| self.time(at) >= since)
    }

    fn time(&self, at: usize) -> Timestamp {
        let after = self.times.partition_point(|(from, _)| *from <= at);
        after.checked_sub(1).map_or(Timestamp::UNIX_EPOCH, |index| self.times[index].1)
    }
}

fn start_of(before: &[u8], line: &[u8]) -> usize {
    before.len() - line.len()
}
