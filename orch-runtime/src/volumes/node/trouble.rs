//! From what the operating system says to [`VolumeError`].

use std::io;
use std::path::Path;

use nix::errno::Errno;
use orch_core::runtime::VolumeError;

/// Something failed on a file or folder: `doing` is like `cannot write`.
pub(super) fn unavailable(doing: &str, path: &Path, error: io::Error) -> VolumeError {
    let message = format!("{doing} {}: {error}", path.display());
    VolumeError::Unavailable { message, transient: may_pass(&error), source: Some(Box::new(error)) }
}

/// Whether it may be otherwise later without anyone changing the configuration: what was short may be free again.
fn may_pass(error: &io::Error) -> bool {
    let short = [
        Errno::EAGAIN,
        Errno::EBUSY,
        Errno::EDQUOT,
        Errno::EINTR,
        Errno::EMFILE,
        Errno::ENFILE,
        Errno::ENOMEM,
        Errno::ENOSPC,
    ];
    error.raw_os_error().is_some_and(|number| short.contains(&Errno::from_raw(number)))
}
