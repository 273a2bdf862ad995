//! [`ForwardingFiles`]: whether the host passes on packets that are not for itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use orch_core::network::RoutesError;

use super::model::Forwarding;

/// The kernel's variables, of the network in which they were opened. A family that the kernel has not got has none.
#[derive(Debug)]
pub(super) struct ForwardingFiles {
    v4: Option<File>,
    v6: Option<File>,
}

impl ForwardingFiles {
    pub(super) fn open() -> Self {
        // What is not to be written can be on already.
        let open = |is_ipv4| {
            let path = path(is_ipv4);
            File::options().read(true).write(true).open(path).or_else(|_| File::open(path)).ok()
        };
        Self { v4: open(true), v6: open(false) }
    }

    pub(super) fn are_on(&self) -> Result<Forwarding, RoutesError> {
        Ok(Forwarding { v4: self.is_on(true)?, v6: self.is_on(false)? })
    }

    fn is_on(&self, is_ipv4: bool) -> Result<bool, RoutesError> {
        let Some(file) = self.file(is_ipv4) else { return Ok(false) };
        let mut value = [0];
        let read = file.read_at(&mut value, 0).map_err(|error| failed("read", is_ipv4, error))?;
        Ok(read > 0 && value != *b"0")
    }

    pub(super) fn turn_on(&self, is_ipv4: bool) -> Result<(), RoutesError> {
        let missing = || failed("write", is_ipv4, io::ErrorKind::NotFound.into());
        let file = self.file(is_ipv4).ok_or_else(missing)?;
        file.write_at(b"1", 0).map(drop).map_err(|error| failed("write", is_ipv4, error))
    }

    fn file(&self, is_ipv4: bool) -> Option<&File> {
        if is_ipv4 { self.v4.as_ref() } else { self.v6.as_ref() }
    }
}

fn path(is_ipv4: bool) -> &'static str {
    if is_ipv4 { "/proc/sys/net/ipv4/ip_forward" } else { "/proc/sys/net/ipv6/conf/all/forwarding" }
}

fn failed(doing: &str, is_ipv4: bool, error: io::Error) -> RoutesError {
    let path = path(is_ipv4);
    let message = format!(
        "cannot {doing} {path}, by which the host is told to pass packets on: {error}; run this as root, or write 1 there \
         beforehand"
    );
    RoutesError::Unavailable { message, transient: false, source: Some(Box::new(error)) }
}
