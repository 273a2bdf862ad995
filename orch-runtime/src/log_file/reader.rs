//! Reading a log, while it is written or later.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt as _, Stream, StreamExt as _, TryStreamExt as _, stream};
use orch_core::runtime::{LogOptions, RuntimeError};

use super::record::{Origin, Record, line_length, stamp};
use super::{file, files};

/// How often a follower looks for more. Nobody looks while nobody follows.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What is read of a file at once. It is more than the longest record.
const CHUNK: usize = 64 << 10;

/// What is in the log, and if asked for what is written until `ended` is ready: when everything is written. Standard
/// output and error are together, as they were written.
pub(crate) fn read(
    folder: &Path,
    options: LogOptions,
    ended: impl Future<Output = ()> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, RuntimeError>> + Send + 'static {
    pieces(State::new(folder, ended), options, false).map_ok(|(_, bytes)| bytes)
}

/// What is written from the time when this returns, be it in the middle of a line, until `ended` is ready; each piece
/// with where it came from.
pub(crate) async fn read_from_now(
    folder: &Path,
    ended: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Stream<Item = Result<(Origin, Bytes), RuntimeError>> + Send + 'static, RuntimeError> {
    let options = LogOptions { tail: Some(0), follow: true, ..LogOptions::default() };
    let mut state = State::new(folder, ended);
    state.with_reader(options, true, |_| Ok(())).await?;
    Ok(pieces(state, options, true))
}

type Pieces = Vec<(Origin, Vec<u8>)>;

fn pieces(
    state: State,
    options: LogOptions,
    apart: bool,
) -> impl Stream<Item = Result<(Origin, Bytes), RuntimeError>> + Send + 'static {
    let chunks = stream::try_unfold(state, move |mut state| async move {
        loop {
            if options.follow {
                // Asked before reading: what was written before the end is then certainly read.
                state.has_ended = state.has_ended || state.ended.as_mut().now_or_never().is_some();
            }
            let pieces = state.with_reader(options, apart, Reader::chunk).await?;
            if !pieces.is_empty() {
                return Ok::<_, RuntimeError>(Some((pieces, state)));
            }
            if !options.follow || state.has_ended {
                return Ok(None);
            }
            tokio::select! {
                biased;
                () = state.ended.as_mut() => state.has_ended = true,
                () = tokio::time::sleep(LOOK_AGAIN) => continue,
            }
        }
    });
    let each = |pieces: Pieces| stream::iter(pieces).map(|(origin, bytes)| Ok((origin, Bytes::from(bytes))));
    chunks.map_ok(each).try_flatten()
}

struct State {
    folder: PathBuf,
    reader: Option<Reader>,
    ended: Pin<Box<dyn futures::future::FusedFuture<Output = ()> + Send>>,
    has_ended: bool,
}

impl State {
    fn new(folder: &Path, ended: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { folder: folder.to_owned(), reader: None, ended: Box::pin(ended.fuse()), has_ended: false }
    }

    /// Does something with the reader, which is made if there is none yet. Files are read where waiting is allowed.
    async fn with_reader<T: Send + 'static>(
        &mut self,
        options: LogOptions,
        apart: bool,
        act: impl FnOnce(&mut Reader) -> io::Result<T> + Send + 'static,
    ) -> Result<T, RuntimeError> {
        let (folder, reader) = (self.folder.clone(), self.reader.take());
        let read = move || {
            let mut reader = reader.map_or_else(|| Reader::start(&folder, options, apart), Ok)?;
            let result = act(&mut reader)?;
            Ok((reader, result))
        };
        let joined = tokio::task::spawn_blocking(read).await;
        let (reader, result) = joined.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| {
            let message = format!("cannot read the output in {}: {error}", self.folder.display());
            RuntimeError::Unavailable { message, transient: true, source: Some(Box::new(error)) }
        })?;
        self.reader = Some(reader);
        Ok(result)
    }
}

/// A place in the log.
struct Reader {
    folder: PathBuf,
    file: Option<LogFile>,
    /// Those that were there at the beginning: what is deleted before it is their turn is read all the same.
    ahead: VecDeque<LogFile>,
    /// Where one who does not follow stops: else a container that writes without end would never be read.
    stop: Option<(u64, u64)>,
    filter: Filter,
    apart: bool,
    buffer: Vec<u8>,
}

/// A file that is read.
struct LogFile {
    number: u64,
    file: File,
    /// Where the next record begins.
    offset: u64,
}

impl Reader {
    fn start(folder: &Path, options: LogOptions, apart: bool) -> io::Result<Self> {
        let mut ahead = VecDeque::new();
        for number in files(folder)? {
            ahead.extend(LogFile::open(folder, number)?);
        }
        let end = match ahead.back() {
            Some(last) => (last.number, last.file.metadata()?.len()),
            None => (0, 0),
        };
        let filter = Filter::new(options);
        let mut reader =
            Self { folder: folder.to_owned(), file: None, ahead, stop: None, filter, apart, buffer: vec![0; CHUNK] };
        match options.tail {
            None => {}
            Some(0) => reader.skip_to(end),
            Some(lines) => reader.skip_all_but(lines as u64, end, options)?,
        }
        reader.stop = (!options.follow).then_some(end);
        Ok(reader)
    }

    /// Begins where the log ends now, be it in the middle of a line.
    fn skip_to(&mut self, (last, end): (u64, u64)) {
        self.ahead.retain(|file| file.number == last);
        for file in &mut self.ahead {
            file.offset = end;
        }
    }

    /// Lets the filter pass only the last lines: counted first, as the times of lines need not be in order.
    fn skip_all_but(&mut self, lines: u64, end: (u64, u64), options: LogOptions) -> io::Result<()> {
        self.stop = Some(end);
        let ahead = self.ahead.iter().map(LogFile::again).collect::<io::Result<_>>()?;
        let ahead = std::mem::replace(&mut self.ahead, ahead);
        while !self.chunk()?.is_empty() {}
        let there = self.filter.passed;
        (self.file, self.ahead) = (None, ahead);
        self.filter = Filter { skip: there.saturating_sub(lines), ..Filter::new(options) };
        Ok(())
    }

    /// Some output; none at the end of what there is now.
    fn chunk(&mut self) -> io::Result<Pieces> {
        let mut pieces = Pieces::new();
        loop {
            // Whether there is a next file is asked before reading: nothing is added to this one after that.
            let next = self.next()?;
            if self.read_records(&mut pieces)? {
                if pieces.is_empty() {
                    continue;
                }
                return Ok(pieces);
            }
            match next.filter(|next| self.stop.is_none_or(|(last, _)| next.number <= last)) {
                Some(next) => {
                    self.ahead.pop_front_if(|ahead| ahead.number == next.number);
                    self.file = Some(next);
                }
                None => return Ok(pieces),
            }
        }
    }

    /// The file after this one. One that fell behind finds it gone, and goes on with what is there.
    fn next(&self) -> io::Result<Option<LogFile>> {
        if let Some(ahead) = self.ahead.front() {
            return ahead.again().map(Some);
        }
        let number = self.file.as_ref().map(|file| file.number);
        for later in files(&self.folder)?.into_iter().filter(|later| number.is_none_or(|number| *later > number)) {
            if let Some(file) = LogFile::open(&self.folder, later)? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// Reads some whole records of the file, and tells whether there were any.
    fn read_records(&mut self, pieces: &mut Pieces) -> io::Result<bool> {
        let Some(file) = &mut self.file else { return Ok(false) };
        let most = match self.stop {
            Some((last, end)) if last == file.number => end.saturating_sub(file.offset).min(CHUNK as u64) as usize,
            _ => CHUNK,
        };
        let length = file.file.read_at(&mut self.buffer[..most], file.offset)?;
        let mut rest = &self.buffer[..length];
        while !rest.is_empty() {
            let (line, after) = rest.split_at(line_length(rest));
            let Some(line) = line.strip_suffix(b"\n") else { break };
            // What is no record is damage: there is nothing in it that could be shown.
            if let Some(record) = Record::parse(line) {
                self.filter.pass(&record, self.apart, pieces);
            }
            rest = after;
        }
        // What is longer than any record and has no end is damage, too.
        let read = if rest.len() == CHUNK { CHUNK } else { length - rest.len() };
        file.offset += read as u64;
        Ok(read > 0)
    }
}

impl LogFile {
    /// `None` if it is not there any more.
    fn open(folder: &Path, number: u64) -> io::Result<Option<Self>> {
        match File::open(file(folder, number)) {
            Ok(file) => Ok(Some(Self { number, file, offset: 0 })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn again(&self) -> io::Result<Self> {
        Ok(Self { number: self.number, file: self.file.try_clone()?, offset: self.offset })
    }
}

/// Which lines are shown, and how.
struct Filter {
    since: Option<String>,
    timestamps: bool,
    /// So many lines that would be shown are not.
    skip: u64,
    /// So many lines were shown, or would have been.
    passed: u64,
    /// In the middle of a line: whether it is shown.
    shown: Option<bool>,
}

impl Filter {
    fn new(options: LogOptions) -> Self {
        let LogOptions { since, timestamps, .. } = options;
        Self { since: since.map(stamp), timestamps, skip: 0, passed: 0, shown: None }
    }

    fn pass(&mut self, record: &Record<'_>, apart: bool, pieces: &mut Pieces) {
        let begins = self.shown.is_none();
        let shown = self.shown.unwrap_or_else(|| {
            let passes = self.since.as_ref().is_none_or(|since| record.time >= since.as_bytes());
            self.passed += u64::from(passes);
            passes && self.passed > self.skip
        });
        self.shown = (!record.full).then_some(shown);
        if !shown {
            return;
        }
        let origin = if apart { record.origin } else { Origin::Stdout };
        let bytes = match pieces.last_mut() {
            Some((last, bytes)) if *last == origin => bytes,
            _ => &mut pieces.push_mut((origin, Vec::new())).1,
        };
        if begins && self.timestamps {
            bytes.extend_from_slice(record.time);
            bytes.push(b' ');
        }
        bytes.extend_from_slice(record.content);
        bytes.extend(record.full.then_some(b'\n'));
    }
}
