//! Makes a range of addresses this machine's own, so that a program can listen on each of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use futures::TryStreamExt as _;
use nix::errno::Errno;
use orch_core::network::Cidr;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::route::{RouteMessage, RouteScope, RouteType};
use rtnetlink::{Handle, RouteMessageBuilder};

/// The routes of what is this machine's.
const LOCAL_TABLE: u32 = 255;

/// From now on every address of the range is this machine's, as all of 127.0.0.0/8 are: its own programs and pods reach
/// there whoever listens. Needs root.
pub(crate) async fn add(range: Cidr) -> io::Result<()> {
    let handle = open()?;
    match handle.route().add(route(&handle, range).await?).execute().await {
        Err(error) if errno(&error) != Some(Errno::EEXIST) => Err(failed(&error)),
        _ => Ok(()),
    }
}

/// Takes that back.
pub(crate) async fn remove(range: Cidr) -> io::Result<()> {
    let handle = open()?;
    match handle.route().del(route(&handle, range).await?).execute().await {
        Err(error) if errno(&error) != Some(Errno::ESRCH) => Err(failed(&error)),
        _ => Ok(()),
    }
}

fn open() -> io::Result<Handle> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    Ok(handle)
}

async fn route(handle: &Handle, range: Cidr) -> io::Result<RouteMessage> {
    let loopback = handle.link().get().match_name("lo".to_owned()).execute().try_next().await;
    let loopback: Option<LinkMessage> = loopback.map_err(|error| failed(&error))?;
    let Some(loopback) = loopback else { return Err(io::Error::other("there is no loopback device")) };
    let Some(IpAddr::V4(first)) = range.address(0) else {
        return Err(io::Error::other(format!("{range} is no range of IPv4 addresses")));
    };
    let route = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(first, range.bits())
        .output_interface(loopback.header.index)
        .table_id(LOCAL_TABLE)
        .scope(RouteScope::Host)
        .kind(RouteType::Local);
    Ok(route.build())
}

fn errno(error: &rtnetlink::Error) -> Option<Errno> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(Errno::from_raw(-message.raw_code())),
        _ => None,
    }
}

fn failed(error: &rtnetlink::Error) -> io::Error {
    errno(error).map_or_else(|| io::Error::other(error.to_string()), io::Error::from)
}
