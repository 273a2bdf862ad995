//! [`Netlink`]: what is asked of the kernel about devices, in one network namespace.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use futures::TryStreamExt as _;
use nix::errno::Errno;
use orch_core::runtime::RuntimeError;
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage, RouteScope};
use rtnetlink::{Handle, RouteMessageBuilder};

use crate::namespace;

/// Speaks with the kernel about the devices of one network namespace.
#[derive(Debug)]
pub(crate) struct Netlink {
    pub(super) handle: Handle,
    /// The namespace.
    file: File,
    /// Held while something is listed: the kernel refuses a second listing on the same socket.
    listing: tokio::sync::Mutex<()>,
}

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) alias: String,
    /// The bridge that it is joined to.
    pub(super) controller: Option<u32>,
    pub(super) mtu: u32,
    pub(super) is_up: bool,
    pub(super) is_bridge: bool,
}

impl Netlink {
    /// In the network namespace of the thread that calls, within a tokio runtime that lasts.
    pub(crate) fn here() -> Result<Self, RuntimeError> {
        let opened = File::open("/proc/thread-self/ns/net").and_then(|file| Ok((open()?, file)));
        let (handle, file) = opened.map_err(|error| {
            let message = format!("cannot speak with the kernel about networks: {error}");
            RuntimeError::Unavailable { message, transient: false, source: Some(Box::new(error)) }
        })?;
        Ok(Self { handle, file, listing: tokio::sync::Mutex::default() })
    }

    /// In another namespace.
    pub(super) async fn inside(namespace: &File) -> Result<Self, RuntimeError> {
        let failed = |error| unavailable("cannot enter the network of a pod", error);
        let (file, theirs) =
            namespace.try_clone().and_then(|file| Ok((file, namespace.try_clone()?))).map_err(failed)?;
        let runtime = tokio::runtime::Handle::current();
        let opened = tokio::task::spawn_blocking(move || {
            namespace::inside(&theirs, move || {
                let _entered = runtime.enter();
                open()
            })
        });
        let opened = opened.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        Ok(Self { handle: opened.map_err(failed)?, file, listing: tokio::sync::Mutex::default() })
    }

    /// Does something in the namespace that waits for nothing but the kernel.
    pub(super) async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let file = self.file.try_clone()?;
        let acted = tokio::task::spawn_blocking(move || namespace::inside(&file, act)).await;
        acted.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// All devices.
    pub(super) async fn links(&self) -> Result<Vec<Link>, RuntimeError> {
        let _one_at_a_time = self.listing.lock().await;
        let links: Result<Vec<LinkMessage>, _> = self.handle.link().get().execute().try_collect().await;
        Ok(links.map_err(|error| failed("list devices", &error))?.iter().map(Link::from).collect())
    }

    /// The device of this name, if there is one.
    pub(super) async fn link(&self, name: &str) -> Result<Option<Link>, RuntimeError> {
        match self.handle.link().get().match_name(name.to_owned()).execute().try_next().await {
            Ok(link) => Ok(link.as_ref().map(Link::from)),
            Err(error) if errno(&error) == Some(Errno::ENODEV) => Ok(None),
            Err(error) => Err(failed("look for a device", &error)),
        }
    }

    /// The device that must be there.
    pub(super) async fn own(&self, name: &str) -> Result<Link, RuntimeError> {
        self.link(name).await?.ok_or_else(|| {
            let message = format!("the network of pods: the device {name} is gone: somebody else removed it");
            RuntimeError::Unavailable { message, transient: true, source: None }
        })
    }

    /// Makes a device. `false` if there was one of its name.
    pub(super) async fn make(&self, what: &str, link: LinkMessage) -> Result<bool, RuntimeError> {
        match self.handle.link().add(link).execute().await {
            Ok(()) => Ok(true),
            Err(error) if errno(&error) == Some(Errno::EEXIST) => Ok(false),
            Err(error) => Err(failed(what, &error)),
        }
    }

    /// Changes what the message says of a device.
    pub(super) async fn change(&self, what: &str, link: LinkMessage) -> Result<(), RuntimeError> {
        self.handle.link().change(link).execute().await.map_err(|error| failed(what, &error))
    }

    /// Removes a device. One that is gone is removed.
    pub(super) async fn delete(&self, what: &str, index: u32) -> Result<(), RuntimeError> {
        match self.handle.link().del(index).execute().await {
            Err(error) if errno(&error) != Some(Errno::ENODEV) => Err(failed(what, &error)),
            _ => Ok(()),
        }
    }

    /// Gives a device an address, unless it has it.
    pub(super) async fn address(&self, index: u32, address: Ipv4Addr, bits: u8) -> Result<(), RuntimeError> {
        match self.handle.address().add(index, IpAddr::V4(address), bits).execute().await {
            Err(error) if errno(&error) != Some(Errno::EEXIST) => Err(failed("set an address", &error)),
            _ => Ok(()),
        }
    }

    /// Leads everything to a gateway, the only neighbour that the device has.
    pub(super) async fn lead_to(&self, gateway: Ipv4Addr, index: u32) -> Result<(), RuntimeError> {
        let route = || RouteMessageBuilder::<Ipv4Addr>::new().output_interface(index);
        let neighbour = route().destination_prefix(gateway, 32).scope(RouteScope::Link);
        for route in [neighbour, route().gateway(gateway)] {
            let added = self.handle.route().add(route.build()).execute().await;
            added.map_err(|error| failed("set a pod's route", &error))?;
        }
        Ok(())
    }

    /// Sets what the kernel does with packets of IPv4: a file below `net/ipv4`, and why it is to be so.
    pub(super) async fn set(&self, setting: &str, value: &'static str, why: &str) -> Result<(), RuntimeError> {
        let file = format!("/proc/sys/net/ipv4/{setting}");
        // What is as it is to be may be where nobody can write.
        let set = move || if fs::read_to_string(&file)?.trim() == value { Ok(()) } else { fs::write(&file, value) };
        self.act(set).await.map_err(|error| {
            let name = setting.replace('/', ".");
            let message = format!(
                "the network of pods: cannot set net.ipv4.{name} to {value}, {why}: {error}: let this process write to \
                 /proc/sys, or set it on the node yourself"
            );
            RuntimeError::Unavailable { message, transient: false, source: Some(Box::new(error)) }
        })
    }

    /// The device by which everything is reached that has no other route.
    pub(super) async fn underlay(&self) -> Result<Option<u32>, RuntimeError> {
        let _one_at_a_time = self.listing.lock().await;
        let all = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let routes: Result<Vec<RouteMessage>, _> = self.handle.route().get(all).execute().try_collect().await;
        let routes = routes.map_err(|error| failed("list routes", &error))?;
        let device = |route: &RouteMessage| {
            route.attributes.iter().find_map(|attribute| match attribute {
                RouteAttribute::Oif(index) => Some(*index),
                _ => None,
            })
        };
        Ok(routes.iter().filter(|route| route.header.destination_prefix_length == 0).find_map(device))
    }
}

impl From<&LinkMessage> for Link {
    fn from(message: &LinkMessage) -> Self {
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            alias: String::new(),
            controller: None,
            mtu: 0,
            is_up: message.header.flags.contains(LinkFlags::Up),
            is_bridge: false,
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name.clone_from(name),
                LinkAttribute::IfAlias(alias) => link.alias.clone_from(alias),
                LinkAttribute::Controller(index) => link.controller = Some(*index),
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::LinkInfo(infos) => link.is_bridge = infos.contains(&LinkInfo::Kind(InfoKind::Bridge)),
                _ => {}
            }
        }
        link
    }
}

/// In the namespace of the thread that calls.
fn open() -> io::Result<Handle> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    Ok(handle)
}

fn errno(error: &rtnetlink::Error) -> Option<Errno> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(Errno::from_raw(-message.raw_code())),
        _ => None,
    }
}

fn failed(doing: &str, error: &rtnetlink::Error) -> RuntimeError {
    let hint = match errno(error) {
        Some(Errno::EPERM) => ": run as root",
        Some(Errno::EOPNOTSUPP) => ": the kernel has no bridges or no pairs of virtual devices",
        _ => "",
    };
    let message = format!("the network of pods: cannot {doing}: {error}{hint}");
    RuntimeError::Unavailable { message, transient: hint.is_empty(), source: None }
}

pub(super) fn unavailable(what: &str, error: io::Error) -> RuntimeError {
    let transient = error.kind() != io::ErrorKind::PermissionDenied;
    let message = format!("the network of pods: {what}: {error}");
    RuntimeError::Unavailable { message, transient, source: Some(Box::new(error)) }
}
