//! Ports of the machine that lead to ports of a container.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::wire::PortMapping;

/// How long it is waited when connections cannot be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Leads connections to a port of the machine to one of a container, until it is dropped.
pub(super) async fn lead(mapping: PortMapping, to: IpAddr) {
    let (Ok(from), Ok(port)) = (u16::try_from(mapping.host_port), u16::try_from(mapping.container_port)) else {
        tracing::warn!(?mapping, "there are no such ports");
        return;
    };
    if let Err(error) = listen(from, to, port).await {
        tracing::warn!(%error, "port {from} of the machine does not lead to port {port} of the container {to}");
    }
}

async fn listen(from: u16, to: IpAddr, port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, from)).await?;
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(connections.spawn(pass(stream, to, port))),
            Err(error) => {
                tracing::debug!(%error, "a connection to port {from} was not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn pass(mut stream: TcpStream, to: IpAddr, port: u16) {
    let passed = async {
        let mut container = TcpStream::connect((to, port)).await?;
        copy_bidirectional(&mut stream, &mut container).await
    };
    if let Err(error) = passed.await {
        tracing::debug!(%error, "a connection to {to}:{port} ended");
    }
}
