//! [`ProgramInput`]: what a program reads, and from where it comes.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::thread;

use orch_core::runtime::Input;

use super::super::input::decode;
use super::terminal::{Terminal, resize};

/// What a terminal takes for the end of the input: Ctrl-D.
const END_OF_TRANSMISSION: &[u8] = &[4];

/// Where input goes.
pub(super) enum ProgramInput {
    Terminal(File),
    /// `None` after its end.
    Pipe(Option<PipeWriter>),
}

impl ProgramInput {
    /// A pipe, and the end of it that the program opens by its path, as long as it is held.
    pub(super) fn pipe() -> io::Result<(Self, PipeReader, PathBuf)> {
        let (reader, writer) = io::pipe()?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), reader.as_raw_fd());
        Ok((Self::Pipe(Some(writer)), reader, path.into()))
    }

    pub(super) fn terminal(terminal: &Terminal) -> io::Result<Self> {
        terminal.ours.try_clone().map(Self::Terminal)
    }

    /// Passes on what comes, in a thread of its own: the program may not read.
    pub(super) fn pass_on(mut self, mut source: impl Read + Send + 'static) {
        thread::spawn(move || {
            while let Ok(Some(input)) = decode(&mut source) {
                // A program that closed its input does not want it.
                let _ = self.take(&input);
            }
        });
    }

    fn take(&mut self, input: &Input) -> io::Result<()> {
        match (self, input) {
            (Self::Terminal(terminal), Input::Bytes(bytes)) => terminal.write_all(bytes),
            (Self::Terminal(terminal), Input::End) => terminal.write_all(END_OF_TRANSMISSION),
            (Self::Terminal(terminal), Input::Resize(size)) => resize(terminal, *size),
            (Self::Pipe(Some(pipe)), Input::Bytes(bytes)) => pipe.write_all(bytes),
            (Self::Pipe(pipe), Input::End) => {
                *pipe = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
