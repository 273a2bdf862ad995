//! [`Socket`]: a socket at which clients come in.

use std::io;

use orch_core::object::Protocol;
use orch_core::proxy::ProxyError;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use super::config::UserspaceConfig;
use super::datagrams::{self, DatagramRelay};
use super::listener::{self, Listener};
use super::plan::{Entrance, Owner};
use super::relay::Relay;
use super::target::Aim;

/// A socket at which clients come in. Closed when dropped.
#[derive(Debug)]
pub(super) enum Socket {
    Connections(Listener),
    Datagrams(DatagramRelay),
}

/// An address that was taken. Nobody listens there yet, so that several can be taken before the first client comes in.
#[derive(Debug)]
enum Bound {
    Connections(TcpSocket),
    Datagrams(std::net::UdpSocket),
}

/// An address at which clients may come in.
#[derive(Debug)]
pub(super) enum Opened {
    Connections(TcpListener),
    Datagrams(tokio::net::UdpSocket),
}

/// Listens at all of these, or at none.
pub(super) fn open(wanted: &[(Entrance, Owner)]) -> Result<Vec<Opened>, ProxyError> {
    let mut bound = Vec::with_capacity(wanted.len());
    for (entrance, owner) in wanted {
        bound.push(Bound::at(*entrance).map_err(|error| refused(error, *entrance, owner))?);
    }
    let opened = bound.into_iter().zip(wanted).map(|(bound, (entrance, owner))| {
        let opened = match bound {
            Bound::Connections(socket) => listener::listen(socket).map(Opened::Connections),
            Bound::Datagrams(socket) => tokio::net::UdpSocket::from_std(socket).map(Opened::Datagrams),
        };
        opened.map_err(|error| refused(error, *entrance, owner))
    });
    opened.collect()
}

impl Bound {
    fn at(entrance: Entrance) -> io::Result<Self> {
        match entrance.protocol {
            Protocol::Udp => datagrams::bind(entrance.address).map(Self::Datagrams),
            Protocol::Tcp | Protocol::Sctp => listener::bind(entrance.address).map(Self::Connections),
        }
    }
}

impl Opened {
    /// Begins to carry what comes in.
    pub(super) fn start(
        self,
        entrance: Entrance,
        aim: Aim,
        config: &UserspaceConfig,
        end: watch::Receiver<()>,
    ) -> Socket {
        match self {
            Self::Connections(socket) => {
                let relay = Relay { connect_timeout: config.connect_timeout, end };
                Socket::Connections(Listener::start(socket, aim, relay))
            }
            Self::Datagrams(socket) => {
                Socket::Datagrams(DatagramRelay::start(socket, entrance.address, aim, config.flows, end))
            }
        }
    }
}

impl Socket {
    /// Whom it is for.
    pub(super) fn owner(&self) -> Owner {
        match self {
            Self::Connections(listener) => listener.owner(),
            Self::Datagrams(relay) => relay.owner(),
        }
    }

    /// It is for `aim` from now on.
    pub(super) fn hand_over(&self, aim: Aim) {
        match self {
            Self::Connections(listener) => listener.hand_over(aim),
            Self::Datagrams(relay) => relay.hand_over(aim),
        }
    }

    /// Takes notice that its target has changed.
    pub(super) fn follow(&self) {
        if let Self::Datagrams(relay) = self {
            relay.follow();
        }
    }
}

fn refused(error: io::Error, entrance: Entrance, owner: &Owner) -> ProxyError {
    let (name, address) = (owner.name.clone(), entrance.address);
    let unsupported = |message| ProxyError::Unsupported { name: name.clone(), message };
    match error.kind() {
        io::ErrorKind::AddrInUse => ProxyError::AddressInUse { name, address },
        io::ErrorKind::AddrNotAvailable => unsupported(format!(
            "{} is no address of this node; choose service addresses that are, for example of 127.0.0.0/8",
            address.ip()
        )),
        io::ErrorKind::PermissionDenied => unsupported(format!(
            "this process may not listen at {address}; choose a port from 1024 on, or allow it to bind lower ones"
        )),
        _ => ProxyError::Unavailable {
            message: format!("cannot listen at {address} for {name}"),
            transient: true,
            source: Some(Box::new(error)),
        },
    }
}
