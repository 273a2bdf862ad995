//! [`Client`]: speaks netlink with netfilter, in the network namespace in which it was made.
//!
//! The kernel does what a message asks for while it is being sent, so that every answer is there when sending returns.

pub(crate) mod wire;

use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, setsockopt, socket,
    sockopt,
};

use wire::{Header, Message, Writer};

const ERROR: u16 = 2;
const DONE: u16 = 3;
pub(crate) const REQUEST: u16 = 0x1;
const DUMP: u16 = 0x300;
/// What was listed changed meanwhile.
const INTERRUPTED: u16 = 0x10;

/// Room for one answer: a refusal has with it the message that is refused.
const ANSWER_MAX: usize = 256 * 1024;

/// Room for a whole table in one transaction.
const SENT_MAX: usize = 512 * 1024 * 1024;

/// How often something is listed anew that changes all the time.
const LISTINGS: usize = 10;

/// A way to the kernel.
#[derive(Debug)]
pub(crate) struct Client(OwnedFd);

impl Client {
    pub(crate) fn open() -> Result<Self, Refusal> {
        let failed = |errno| Refusal::new("speak netlink", errno);
        let protocol = SockProtocol::NetlinkNetFilter;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).map_err(failed)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).map_err(failed)?;
        // Without the capability less must do: then large tables are refused, and that is told.
        if setsockopt(&socket, sockopt::SndBufForce, &SENT_MAX).is_err() {
            setsockopt(&socket, sockopt::SndBuf, &SENT_MAX).map_err(failed)?;
        }
        if setsockopt(&socket, sockopt::RcvBufForce, &(8 * ANSWER_MAX)).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &(8 * ANSWER_MAX)).map_err(failed)?;
        }
        Ok(Self(socket))
    }

    /// What `take` makes of everything that a request lists, once and whole.
    pub(crate) fn list<T>(
        &self,
        doing: &'static str,
        (kind, family): (u16, u8),
        fill: impl Fn(&mut Writer),
        mut take: impl FnMut(&Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Refusal> {
        for _ in 0..LISTINGS {
            let mut writer = Writer::default();
            let header = Header { kind, flags: REQUEST | DUMP, sequence: 1, family, resource: 0 };
            writer.message(header, &fill);
            self.send(&writer).map_err(|errno| Refusal::new(doing, errno))?;
            let (mut found, mut end, mut interrupted) = (Vec::new(), None, false);
            self.answers(|message| {
                interrupted |= message.flags & INTERRUPTED != 0;
                match outcome(&message) {
                    Some((errno, _)) => end = Some(errno),
                    None if message.kind == DONE => end = Some(None),
                    None => found.extend(take(&message)),
                }
                end.is_none()
            })?;
            match end {
                Some(None) if !interrupted => return Ok(found),
                Some(Some(Errno::EINTR)) | Some(None) => {}
                Some(Some(errno)) => return Err(Refusal::new(doing, errno)),
                None => return Err(Refusal::new(doing, Errno::ENOBUFS)),
            }
        }
        Err(Refusal::new(doing, Errno::EINTR))
    }

    /// Does one thing that is no transaction. That what it is about is not there is no error.
    pub(crate) fn act(&self, doing: &'static str, writer: &Writer) -> Result<(), Refusal> {
        let failed = |errno| Refusal::new(doing, errno);
        self.send(writer).map_err(failed)?;
        let mut done = Err(failed(Errno::ENOBUFS));
        self.answers(|message| {
            match outcome(&message) {
                Some((None | Some(Errno::ENOENT), _)) => done = Ok(()),
                Some((Some(errno), _)) => done = Err(failed(errno)),
                None => {}
            }
            true
        })?;
        done
    }

    pub(crate) fn send(&self, writer: &Writer) -> Result<(), Errno> {
        let to_the_kernel = NetlinkAddr::new(0, 0);
        sendto(self.0.as_raw_fd(), writer.as_bytes(), &to_the_kernel, MsgFlags::empty()).map(drop)
    }

    /// Reads the answers that are there, as long as `take` wants more.
    pub(crate) fn answers(&self, mut take: impl FnMut(Message<'_>) -> bool) -> Result<(), Refusal> {
        let mut buffer = vec![0; ANSWER_MAX];
        loop {
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => {
                    let mut more = true;
                    for message in wire::messages(&buffer[..length]) {
                        more &= take(message);
                    }
                    if !more {
                        return Ok(());
                    }
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                // Some answers found no room; what is missing is noticed.
                Err(Errno::ENOBUFS) => {}
                Err(errno) => return Err(Refusal::new("hear netlink's answer", errno)),
            }
        }
    }
}

/// Why the kernel does not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing}: {errno}")]
pub(crate) struct Refusal {
    /// What was to be done.
    pub(crate) doing: &'static str,
    pub(crate) errno: Errno,
}

impl Refusal {
    pub(crate) fn new(doing: &'static str, errno: Errno) -> Self {
        Self { doing, errno }
    }
}

/// What became of a message, and its sequence number, if this says so.
pub(crate) fn outcome(message: &Message<'_>) -> Option<(Option<Errno>, u32)> {
    if message.kind != ERROR {
        return None;
    }
    let code = i32::from_ne_bytes(*message.body.first_chunk()?);
    Some(((code != 0).then(|| Errno::from_raw(code.saturating_neg())), message.sequence))
}
