//! [`Terminal`]: a terminal for a program.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use orch_core::runtime::TerminalSize;
use rustix::termios::{Winsize, tcsetwinsize};

/// A terminal: what the program has open, and the side from which it is read and written here.
pub(super) struct Terminal {
    pub(super) path: PathBuf,
    pub(super) ours: File,
    /// Held open until the program has it open: without anyone, the terminal counts as hung up.
    _theirs: File,
}

impl Terminal {
    pub(super) fn open(size: Option<TerminalSize>) -> io::Result<Self> {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = PathBuf::from(ptsname_r(&master)?);
        let ours = File::from(OwnedFd::from(master));
        if let Some(size) = size {
            resize(&ours, size)?;
        }
        let theirs = File::options().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(&path)?;
        Ok(Self { path, ours, _theirs: theirs })
    }
}

/// Gives a terminal another size; its program is told by SIGWINCH.
pub(super) fn resize(terminal: &File, TerminalSize { columns, rows }: TerminalSize) -> io::Result<()> {
    Ok(tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?)
}
