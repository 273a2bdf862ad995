//! [`Kernel`]: the world around routes of the kernel.

mod world;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::network::{Cidr, Host, HostTable, PodRoutes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::{Conversation, Deed, HOSTS, RoutesFixture};
use crate::suite::namespace::Stay;
use crate::suite::proxy::Family;
use world::{PORT, World};

/// How long an answer may take. Whatever nobody leads anywhere is refused at once.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);

/// The world around routes that work on this machine's kernel, of one family of addresses: four hosts on one link, with a
/// bridge and a pod each. Each is a network namespace, so that nothing outside of the fixture is touched and many can be there
/// at the same time. Nothing of it is left when it is dropped, nor when the process is killed. The other hosts have routes
/// of the same kind, so that packets find the way back.
///
/// The thread that makes it is in the own host's network until it is dropped, and so is all that is started there. Make it and
/// use it in one thread, as [`routes_suite!`](crate::routes_suite) does, with an async runtime of that thread alone. It takes
/// root, and the program `ip`.
pub struct Kernel<P> {
    make: fn() -> P,
    break_it: fn(),
    routes: P,
    others: Vec<P>,
    pods: Vec<AbortHandle>,
    world: World,
    /// Dropped last: what the routes leave to do is done in the own host's network.
    _on_the_host: Stay,
}

impl<P: PodRoutes> Kernel<P> {
    /// The world around the routes that `make` makes, on each host. `break_it` takes away what all of them need, on the own
    /// host.
    ///
    /// # Panics
    /// When this process is not root, the program `ip` is missing, or Linux refuses a network namespace.
    pub async fn new(family: Family, make: fn() -> P, break_it: fn()) -> Self {
        let world = World::new(family);
        let others: Vec<_> = (1..=HOSTS).map(|number| world.host(number).inside(make)).collect();
        let mut pods = Vec::new();
        for number in 0..=HOSTS {
            let listen = || std::net::TcpListener::bind((world.unspecified(), PORT));
            let listener = world.pod(number).inside(listen).expect("a pod has an address");
            listener.set_nonblocking(true).expect("a socket option");
            let listener = TcpListener::from_std(listener).expect("the runtime takes a socket");
            pods.push(tokio::spawn(serve(listener, world.name(number))).abort_handle());
        }
        let on_the_host = world.host(0).enter();
        let routes = make();
        let fixture = Self { make, break_it, routes, others, pods, world, _on_the_host: on_the_host };
        for (number, routes) in (1..).zip(&fixture.others) {
            let mut all = HostTable::new(fixture.world.name(number));
            for number in 0..=HOSTS {
                let (name, host) = fixture.world.entry(number);
                all.set(name, Some(host));
            }
            routes.sync(all.into()).await.expect("the other hosts lead to all");
        }
        fixture
    }

    /// The routes on the own host, by their own type.
    pub fn inner(&self) -> &P {
        &self.routes
    }

    /// Has the program `ip` obey these lines on the own host.
    pub fn ip(&self, lines: &str) {
        self.world.ip(0, lines);
    }

    /// Whether the own pod can send so many bytes to the pod of that range at once, and get them back.
    ///
    /// # Panics
    /// When it is not reached at all.
    pub async fn echoes(&self, range: Cidr, bytes: usize) -> bool {
        let mut stream = self.open(range).await.expect("it is reached");
        let name_length = stream.read_u8().await.expect("a name");
        stream.read_exact(&mut vec![0; name_length.into()]).await.expect("a name");
        let (mut reading, mut writing) = stream.split();
        let sent = vec![7; bytes];
        let mut got = vec![0; bytes];
        let both = async { tokio::try_join!(writing.write_all(&sent), reading.read_exact(&mut got)) };
        timeout(ANSWERED_WITHIN, both).await.is_ok_and(|done| done.is_ok()) && got == sent
    }

    async fn open(&self, range: Cidr) -> Option<TcpStream> {
        let to = (range.address(2)?, PORT).into();
        let socket = || if range.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = self.world.pod(0).inside(socket).expect("a socket");
        timeout(ANSWERED_WITHIN, socket.connect(to)).await.ok()?.ok()
    }
}

impl<P: fmt::Debug> fmt::Debug for Kernel<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("routes", &self.routes).field("world", &self.world).finish_non_exhaustive()
    }
}

impl<P> Drop for Kernel<P> {
    fn drop(&mut self) {
        self.pods.iter().for_each(AbortHandle::abort);
    }
}

#[async_trait]
impl<P: PodRoutes> RoutesFixture for Kernel<P> {
    fn routes(&self) -> &dyn PodRoutes {
        &self.routes
    }

    async fn restart(&mut self) {
        self.routes = (self.make)();
    }

    fn own(&self) -> (String, Host) {
        self.world.entry(0)
    }

    fn host(&self, number: usize) -> (String, Host) {
        self.world.entry(number + 1)
    }

    fn shared_range(&self) -> Cidr {
        self.world.shared_range()
    }

    async fn reached(&self, range: Cidr) -> Option<String> {
        let mut stream = self.open(range).await?;
        let answer = async {
            let mut name = vec![0; stream.read_u8().await.ok()?.into()];
            stream.read_exact(&mut name).await.ok()?;
            String::from_utf8(name).ok()
        };
        timeout(ANSWERED_WITHIN, answer).await.ok()?
    }

    async fn connect(&self, range: Cidr) -> Option<Box<dyn Conversation>> {
        let mut stream = self.open(range).await?;
        let mut name = vec![0; stream.read_u8().await.ok()?.into()];
        stream.read_exact(&mut name).await.ok()?;
        Some(Box::new(stream))
    }

    async fn suffer(&self, deed: Deed, range: Cidr) {
        match deed {
            Deed::Remove => self.ip(&format!("route del {range}\n")),
            // As whoever does not look at what a route is of.
            Deed::Alter => self.ip(&format!("route del {range}\nroute add unreachable {range} proto 79\n")),
            Deed::Break => (self.break_it)(),
        }
    }

    async fn occupy(&self, range: Cidr) {
        self.ip(&format!("route add {range} via {} proto static\n", self.world.neighbour()));
    }

    async fn vacate(&self, range: Cidr) {
        self.ip(&format!("route del {range} proto static\n"));
    }

    async fn everything(&self) -> String {
        self.world.everything()
    }
}

#[async_trait]
impl Conversation for TcpStream {
    async fn goes_on(&mut self) -> bool {
        let mut echo = [0];
        let both = async { self.write_all(&[7]).await.is_ok() && self.read_exact(&mut echo).await.is_ok() };
        timeout(ANSWERED_WITHIN, both).await.unwrap_or(false)
    }
}

/// Tells each client who it is, and then answers with what it is told.
async fn serve(listener: TcpListener, name: String) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let name = name.clone();
        tokio::spawn(async move { answer(stream, &name).await });
    }
}

async fn answer(mut stream: TcpStream, name: &str) -> std::io::Result<()> {
    stream.write_u8(u8::try_from(name.len()).unwrap_or(u8::MAX)).await?;
    stream.write_all(name.as_bytes()).await?;
    let (mut reading, mut writing) = stream.split();
    tokio::io::copy(&mut reading, &mut writing).await.map(drop)
}

/// Whoever is at any address.
fn any(is_ipv4: bool) -> IpAddr {
    if is_ipv4 { [0, 0, 0, 0].into() } else { [0_u16; 8].into() }
}
