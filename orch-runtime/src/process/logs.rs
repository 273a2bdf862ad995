//! Reading output: from the pieces `log.N` that the shim writes, of which the last two are kept.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use orch_core::runtime::{LogOptions, RuntimeError};

use super::attempt::Attempt;
use super::record::AttemptFolder;
use super::trouble::unavailable;

/// How often a follower looks for more. Nobody looks while nobody follows.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

const CHUNK: u64 = 64 << 10;

/// The file of a piece.
pub(super) fn segment(folder: &AttemptFolder, number: u64) -> PathBuf {
    folder.0.join(format!("log.{number}"))
}

/// What is there, and if asked for what comes until the attempt has ended.
pub(super) fn read(
    attempt: Arc<Attempt>,
    options: LogOptions,
) -> impl Stream<Item = Result<Bytes, RuntimeError>> + Send + 'static {
    stream::try_unfold(None::<Reader>, move |reader| {
        let attempt = Arc::clone(&attempt);
        async move {
            let mut reader = match reader {
                Some(reader) => reader,
                None => blocking(&attempt, move |folder| Reader::start(folder, options)).await?,
            };
            loop {
                // Asked before reading: what was written before the end is then certainly read.
                let ended = attempt.has_ended();
                let bytes;
                (reader, bytes) = blocking(&attempt, move |_| {
                    let bytes = reader.chunk()?;
                    Ok((reader, bytes))
                })
                .await?;
                if !bytes.is_empty() {
                    return Ok(Some((bytes, Some(reader))));
                }
                if !options.follow || ended {
                    return Ok(None);
                }
                tokio::select! {
                    biased;
                    () = attempt.ended() => {}
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
            }
        }
    })
}

/// Files are read where waiting is allowed.
async fn blocking<T: Send + 'static>(
    attempt: &Attempt,
    act: impl FnOnce(&AttemptFolder) -> io::Result<T> + Send + 'static,
) -> Result<T, RuntimeError> {
    let folder = attempt.folder.clone();
    let path = folder.0.clone();
    let joined = tokio::task::spawn_blocking(move || act(&folder)).await;
    let result = joined.unwrap_or_else(|error| Err(io::Error::other(error)));
    result.map_err(|error| unavailable("cannot read the output in", &path, error))
}

/// A place in the output.
struct Reader {
    folder: AttemptFolder,
    number: u64,
    file: Option<File>,
    /// Where one who does not follow stops: else a container that writes without end would never be read.
    stop: Option<(u64, u64)>,
}

impl Reader {
    fn start(folder: &AttemptFolder, options: LogOptions) -> io::Result<Self> {
        let numbers = segments(folder)?;
        let last = numbers.last().copied().unwrap_or_default();
        let end = fs::metadata(segment(folder, last)).map_or(0, |metadata| metadata.len());
        let (number, offset) = match options.tail {
            Some(lines) => start_of_tail(folder, &numbers, lines)?,
            None => (numbers.first().copied().unwrap_or_default(), 0),
        };
        let mut reader =
            Self { folder: folder.clone(), number, file: None, stop: (!options.follow).then_some((last, end)) };
        reader.open()?;
        if let Some(file) = &mut reader.file {
            file.seek(SeekFrom::Start(offset))?;
        }
        Ok(reader)
    }

    /// Some bytes; none at the end of what there is now.
    fn chunk(&mut self) -> io::Result<Bytes> {
        loop {
            // Whether there is a next piece is asked before reading: nothing is added to a piece after that.
            let next = segments(&self.folder)?.into_iter().find(|number| *number > self.number);
            let bytes = self.read_piece()?;
            if !bytes.is_empty() {
                return Ok(bytes.into());
            }
            let Some(next) = next.filter(|next| self.stop.is_none_or(|(last, _)| *next <= last)) else {
                return Ok(Bytes::new());
            };
            self.number = next;
            self.file = None;
            self.open()?;
        }
    }

    fn read_piece(&mut self) -> io::Result<Vec<u8>> {
        if self.file.is_none() {
            self.open()?;
        }
        let Some(file) = &mut self.file else { return Ok(Vec::new()) };
        let most = match self.stop {
            Some((last, end)) if last == self.number => end.saturating_sub(file.stream_position()?).min(CHUNK),
            _ => CHUNK,
        };
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Opens the piece, if it is there: one that fell behind finds it gone, and goes on with the next.
    fn open(&mut self) -> io::Result<()> {
        match File::open(segment(&self.folder, self.number)) {
            Ok(file) => self.file = Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The numbers of the pieces that are there, ascending.
fn segments(folder: &AttemptFolder) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(&folder.0) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.strip_prefix("log.")?.parse().ok();
    let mut numbers: Vec<u64> = entries.filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Where the last so many lines begin, found from the end. A last line without its line feed counts.
fn start_of_tail(folder: &AttemptFolder, numbers: &[u64], lines: usize) -> io::Result<(u64, u64)> {
    let mut breaks = 0;
    let mut at_end = true;
    for &number in numbers.iter().rev() {
        let Ok(mut file) = File::open(segment(folder, number)) else { continue };
        let mut end = file.seek(SeekFrom::End(0))?;
        if at_end && lines == 0 {
            return Ok((number, end));
        }
        while end > 0 {
            let start = end.saturating_sub(CHUNK);
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::new();
            (&file).take(end - start).read_to_end(&mut bytes)?;
            for (index, byte) in bytes.iter().enumerate().rev() {
                let closes_the_last_line = std::mem::take(&mut at_end);
                if *byte == b'\n' && !closes_the_last_line {
                    breaks += 1;
                    if breaks == lines {
                        return Ok((number, start + index as u64 + 1));
                    }
                }
            }
            end = start;
        }
    }
    Ok((numbers.first().copied().unwrap_or_default(), 0))
}

#[cfg(test)]
mod tests {
    use super::super::record::make_folder;
    use super::*;

    fn read_all(folder: &AttemptFolder, tail: Option<usize>) -> String {
        let mut reader = Reader::start(folder, LogOptions { tail, ..LogOptions::default() }).expect("a reader");
        let mut text = String::new();
        loop {
            let bytes = reader.chunk().expect("a chunk");
            if bytes.is_empty() {
                return text;
            }
            text += std::str::from_utf8(&bytes).expect("text");
        }
    }

    #[test]
    fn the_last_lines_are_found_across_pieces() {
        let folder = AttemptFolder(std::env::temp_dir().join(format!("orch-logs-{}", std::process::id())));
        make_folder(&folder.0).expect("a folder");
        fs::write(segment(&folder, 3), "one\ntwo\nth").expect("written");
        fs::write(segment(&folder, 4), "ree\nfour\n").expect("written");
        assert_eq!(read_all(&folder, None), "one\ntwo\nthree\nfour\n");
        for (lines, text) in [(0, ""), (1, "four\n"), (2, "three\nfour\n"), (3, "two\nthree\nfour\n")] {
            assert_eq!(read_all(&folder, Some(lines)), text);
        }
        assert_eq!(read_all(&folder, Some(9)), "one\ntwo\nthree\nfour\n");
        fs::write(segment(&folder, 5), "unfinished").expect("written");
        assert_eq!(read_all(&folder, Some(2)), "four\nunfinished");
        fs::remove_dir_all(&folder.0).expect("removed");
    }
}
