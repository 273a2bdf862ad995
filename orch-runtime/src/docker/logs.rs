//! Reading what an attempt wrote.
//!
//! Docker ends a stream that is followed also when it has lost its place, as when files are rotated below it, and then
//! also tells again what it told before. So who follows asks for the time of each message, goes on from the last one until
//! the container has ended, and passes on each message once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use orch_core::clock::Timestamp;
use orch_core::runtime::{ContainerId, LogOptions, LogStream, RuntimeError};

use super::Shared;
use super::client::{ByteStream, Call};
use super::convert::Role;
use super::error::Failure;
use super::stream::{Channel, Frames};

/// Between two attempts to go on with a stream that ended early.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(super) async fn read(shared: Arc<Shared>, id: ContainerId, options: LogOptions) -> Result<LogStream, RuntimeError> {
    let Some(found) = shared.find_attempt(&id).await? else {
        let known = shared.pods.record(&id.pod).is_some_and(|record| record.attempt(&id).is_some());
        // It could not be started, or its container was removed by others.
        return if known { Ok(LogStream::new(stream::empty())) } else { Err(RuntimeError::NoSuchContainer { id }) };
    };
    let tty = matches!(&found.role, Role::Attempt(status) if status.spec.tty);
    let mut reader = Reader {
        shared,
        docker_id: found.docker_id,
        options,
        messages: Messages::new(tty, options.follow || options.timestamps),
        place: Place::default(),
        last_look: !options.follow,
        source: None,
    };
    reader.source = Some(reader.connect(options.follow).await?);
    Ok(LogStream::new(stream::try_unfold(reader, async |mut reader| {
        let bytes = reader.next().await?;
        Ok(bytes.map(|bytes| (bytes, reader)))
    })))
}

struct Reader {
    shared: Arc<Shared>,
    docker_id: String,
    options: LogOptions,
    messages: Messages,
    place: Place,
    /// The end of the source is the end.
    last_look: bool,
    source: Option<ByteStream>,
}

impl Reader {
    async fn connect(&mut self, follow: bool) -> Result<ByteStream, Failure> {
        let flag = |yes| if yes { "1" } else { "0" };
        let mut call = Call::get(format!("/containers/{}/logs", self.docker_id))
            .query("stdout", "1")
            .query("stderr", "1")
            .query("follow", flag(follow))
            .query("timestamps", flag(self.messages.stamped));
        if let Some(since) = self.place.since().or(self.options.since) {
            let nanos = since.as_nanosecond().max(0);
            call = call.query("since", format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000));
        }
        if let (Some(lines), None) = (self.options.tail, self.place.last) {
            call = call.query("tail", lines.to_string());
        }
        self.shared.client.stream(call).await
    }

    /// Some bytes; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, RuntimeError> {
        loop {
            let Some(source) = &mut self.source else {
                let running = self.shared.found(&self.docker_id).await?.is_some_and(|found| found.running);
                self.last_look = !running;
                tokio::time::sleep(if running { LOOK_AGAIN } else { Duration::ZERO }).await;
                match self.connect(running).await {
                    Err(failure) if failure.is_not_found() => return Ok(None),
                    source => self.source = Some(source?),
                }
                self.place.resume();
                self.messages.restart();
                continue;
            };
            let Some(bytes) = source.next().await.transpose()? else {
                if self.last_look {
                    return Ok(None);
                }
                self.source = None;
                continue;
            };
            let mut output = BytesMut::new();
            self.messages.push(&bytes);
            while let Some(part) = self.messages.next().map_err(|why| Failure::of_answer("logs", why))? {
                self.place.take(part, self.options.timestamps, &mut output);
            }
            if !output.is_empty() {
                return Ok(Some(output.freeze()));
            }
        }
    }
}

/// A part of what was logged.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// A message begins that was written at this time.
    Stamp(Channel, Bytes),
    Text(Channel, Bytes),
}

/// Takes apart what Docker sends: frames, or plain text for a terminal; each message with its time before it, or not.
struct Messages {
    stamped: bool,
    tty: bool,
    frames: Frames,
    /// The begin of a message, until its time is complete.
    stamp: Option<BytesMut>,
    /// What comes after it.
    rest: BytesMut,
    channel: Channel,
    /// How much of the message came. Only for a terminal, where nothing else tells where it ends.
    length: usize,
}

/// The longest message that Docker keeps in one piece.
const LONGEST_MESSAGE: usize = 16 << 10;
/// No time is written in more.
const LONGEST_STAMP: usize = 64;

impl Messages {
    fn new(tty: bool, stamped: bool) -> Self {
        let (frames, rest) = Default::default();
        Self { stamped, tty, frames, stamp: stamped.then(BytesMut::new), rest, channel: Channel::Stdout, length: 0 }
    }

    /// Begins anew with another stream.
    fn restart(&mut self) {
        *self = Self::new(self.tty, self.stamped);
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.tty {
            self.rest.extend_from_slice(bytes);
        } else {
            self.frames.push(bytes);
        }
    }

    fn next(&mut self) -> Result<Option<Part>, String> {
        loop {
            if self.rest.is_empty() {
                if self.tty {
                    return Ok(None);
                }
                let Some(piece) = self.frames.next()? else { return Ok(None) };
                self.channel = piece.channel;
                self.rest.extend_from_slice(&piece.bytes);
                if piece.begins && self.stamped {
                    self.stamp = Some(BytesMut::new());
                }
            }
            match self.stamp.take() {
                Some(stamp) => {
                    if let Some(stamp) = self.complete(stamp)? {
                        return Ok(Some(Part::Stamp(self.channel, stamp)));
                    }
                }
                None => return Ok(Some(Part::Text(self.channel, self.text()))),
            }
        }
    }

    fn complete(&mut self, mut stamp: BytesMut) -> Result<Option<Bytes>, String> {
        let Some(end) = self.rest.iter().position(|byte| *byte == b' ') else {
            stamp.extend_from_slice(&self.rest.split());
            if stamp.len() > LONGEST_STAMP {
                return Err("a message has no time before it".to_owned());
            }
            self.stamp = Some(stamp);
            return Ok(None);
        };
        stamp.extend_from_slice(&self.rest.split_to(end + 1)[..end]);
        self.length = 0;
        Ok(Some(stamp.freeze()))
    }

    fn text(&mut self) -> Bytes {
        if !(self.tty && self.stamped) {
            return self.rest.split().freeze();
        }
        let most = self.rest.len().min(LONGEST_MESSAGE - self.length);
        let end = self.rest[..most].iter().position(|byte| *byte == b'\n').map_or(most, |end| end + 1);
        let text = self.rest.split_to(end).freeze();
        self.length += text.len();
        if text.ends_with(b"\n") || self.length == LONGEST_MESSAGE {
            self.stamp = Some(BytesMut::new());
        }
        text
    }
}

/// Where in the output one is, and what was told of it: Docker tells some of it again when it goes on with another file.
///
/// A message is known by its stream and its time. A line that is too long for one message is in several of one time.
#[derive(Debug, Default)]
struct Place {
    last: Option<Timestamp>,
    /// How many messages of a time were told, of the latest times.
    told: BTreeMap<(Timestamp, Channel), u64>,
    streams: [StreamPlace; 2],
}

#[derive(Debug, Default)]
struct StreamPlace {
    /// The time of the last message that came, the how manieth of that time it was, and whether its line goes on.
    came: Option<(Timestamp, u64)>,
    goes_on: bool,
    /// Whether it was told before.
    is_known: bool,
    /// Whether the last text that was told ended inside a line.
    inside_line: bool,
}

/// How many times are remembered: more than Docker tells again.
const REMEMBERED: usize = 4096;
/// How far back it is gone on from: the two streams may have come in another order than they were written.
const OVERLAP: Duration = Duration::from_millis(100);

impl Place {
    /// From when on to go on.
    fn since(&self) -> Option<Timestamp> {
        Some(self.last?.saturating_sub(OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// From now on comes another stream.
    fn resume(&mut self) {
        for stream in &mut self.streams {
            stream.came = None;
        }
    }

    fn take(&mut self, part: Part, timestamps: bool, output: &mut BytesMut) {
        match part {
            Part::Stamp(channel, stamp) => {
                let time = std::str::from_utf8(&stamp).ok().and_then(|stamp| stamp.parse::<Timestamp>().ok());
                let is_known = time.is_some_and(|time| self.is_known(channel, time));
                let stream = &mut self.streams[channel as usize];
                stream.is_known = is_known;
                if timestamps && !is_known && !stream.inside_line {
                    output.extend_from_slice(&stamp);
                    output.extend_from_slice(b" ");
                }
            }
            Part::Text(channel, text) => {
                let stream = &mut self.streams[channel as usize];
                stream.goes_on = !text.ends_with(b"\n");
                if !stream.is_known {
                    stream.inside_line = stream.goes_on;
                    output.extend_from_slice(&text);
                }
            }
        }
    }

    /// Whether a message that begins was told before; from now on it was.
    fn is_known(&mut self, channel: Channel, time: Timestamp) -> bool {
        let stream = &mut self.streams[channel as usize];
        let number = match stream.came {
            Some((of, number)) if of == time && stream.goes_on => number + 1,
            _ => 1,
        };
        stream.came = Some((time, number));
        let told = self.told.entry((time, channel)).or_default();
        let is_known = number <= *told;
        *told = number.max(*told);
        self.last = self.last.max(Some(time));
        if self.told.len() > REMEMBERED {
            self.told.pop_first();
        }
        is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(channel: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("short");
        [&[channel, 0, 0, 0][..], &length.to_be_bytes(), text.as_bytes()].concat()
    }

    fn read(place: &mut Place, tty: bool, stream: &[u8], size: usize, timestamps: bool) -> String {
        let mut messages = Messages::new(tty, true);
        let mut output = BytesMut::new();
        for part in stream.chunks(size) {
            messages.push(part);
            while let Some(part) = messages.next().expect("messages") {
                place.take(part, timestamps, &mut output);
            }
        }
        String::from_utf8(output.to_vec()).expect("text")
    }

    const ONE: &str = "2026-01-01T00:00:01.000000000Z";
    const TWO: &str = "2026-01-01T00:00:02.000000000Z";
    const THREE: &str = "2026-01-01T00:00:03.000000000Z";

    #[test]
    fn a_line_in_several_messages_has_its_time_once() {
        let stream =
            [frame(1, &format!("{ONE} be")), frame(2, &format!("{TWO} x\n")), frame(1, &format!("{TWO} gin\n"))];
        for size in [1, 7, 1000] {
            let text = read(&mut Place::default(), false, &stream.concat(), size, true);
            assert_eq!(text, format!("{ONE} be{TWO} x\ngin\n"));
            assert_eq!(read(&mut Place::default(), false, &stream.concat(), size, false), "bex\ngin\n");
        }
    }

    #[test]
    fn what_was_told_before_a_stream_ended_is_not_told_again() {
        let message = |time: &str, text: &str| frame(1, &format!("{time} {text}\n"));
        let mut place = Place::default();
        let first = [message(ONE, "a"), message(TWO, "b")].concat();
        assert_eq!(read(&mut place, false, &first, 9, false), "a\nb\n");
        let again = [message(TWO, "b"), message(ONE, "a"), message(TWO, "b"), message(THREE, "c")].concat();
        assert_eq!(read(&mut place, false, &again, 9, false), "c\n", "the same stream, going on with another file");
        place.resume();
        let again = [message(TWO, "b"), message(THREE, "c"), frame(2, &format!("{TWO} d\n"))].concat();
        assert_eq!(read(&mut place, false, &again, 9, false), "d\n", "another stream");
        assert_eq!(place.told.len(), 4);
    }

    #[test]
    fn a_line_in_several_messages_is_gone_on_with_where_a_stream_ended() {
        let parts =
            |count: usize| ["x", "y", "z\n"][..count].iter().flat_map(|part| frame(1, &format!("{ONE} {part}")));
        let mut place = Place::default();
        let mut text = String::new();
        for count in [1, 2, 3, 3] {
            text += &read(&mut place, false, &parts(count).collect::<Vec<_>>(), 9, false);
            place.resume();
        }
        assert_eq!(text, "xyz\n");
    }

    #[test]
    fn the_times_in_a_terminals_output_are_found_without_frames() {
        let long = "x".repeat(LONGEST_MESSAGE);
        let stream = format!("{ONE} a b\r\n{TWO} {long}{TWO} c\r\n");
        for size in [1, 5, 100_000] {
            let text = read(&mut Place::default(), true, stream.as_bytes(), size, false);
            assert_eq!(text, format!("a b\r\n{long}c\r\n"));
        }
    }
}
