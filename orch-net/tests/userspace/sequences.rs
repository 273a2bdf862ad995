//! Tables in any order, with datagrams in between and at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orch_core::object::TrafficPolicy;
use orch_core::proxy::{Affinity, Endpoint, EndpointState, ServicePort, ServiceTable};
use orch_net::UserspaceProxy;
use orch_testkit::suite::proxy::{Loopback, ProxyFixture as _, name};
use orch_testkit::suite::run;
use proptest::prelude::*;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::datagrams::udp;
use super::{SOON, fixture};

const ENDPOINTS: usize = 3;
const CLIENTS: usize = 3;
/// Two addresses of services, and two ports of the node.
const PLACES: usize = 4;

/// How a service port is to be: which of the two addresses it has, whether it has a port of the node, and so on.
#[derive(Clone, Debug)]
struct Shape {
    has_node_port: bool,
    affinity: bool,
    policies: [TrafficPolicy; 2],
    endpoints: Vec<Option<(bool, EndpointState)>>,
}

#[derive(Clone, Debug)]
enum Step {
    /// Serve these two service ports; the second has the first's addresses if they are swapped.
    Serve { shapes: [Option<Shape>; 2], swapped: bool },
    /// A table that contradicts itself.
    ServeNonsense,
    /// A client sends a datagram to a place.
    Ask { client: usize, place: usize },
}

fn shape() -> impl Strategy<Value = Shape> {
    let policy = || prop_oneof![3 => Just(TrafficPolicy::Cluster), 1 => Just(TrafficPolicy::Local)];
    let state = prop_oneof![
        4 => Just(EndpointState::Ready),
        1 => Just(EndpointState::ServingTerminating),
        1 => Just(EndpointState::NotReady)
    ];
    let endpoint = prop::option::weighted(0.7, (any::<bool>(), state));
    (any::<bool>(), any::<bool>(), [policy(), policy()], prop::collection::vec(endpoint, ENDPOINTS)).prop_map(
        |(has_node_port, affinity, policies, endpoints)| Shape { has_node_port, affinity, policies, endpoints },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let shapes = || prop::option::weighted(0.85, shape());
    prop_oneof![
        6 => ([shapes(), shapes()], any::<bool>()).prop_map(|(shapes, swapped)| Step::Serve { shapes, swapped }),
        1 => Just(Step::ServeNonsense),
        15 => (0..CLIENTS, 0..PLACES).prop_map(|(client, place)| Step::Ask { client, place }),
    ]
}

/// What answers with its number and what it was sent.
async fn echo(number: u8) -> (SocketAddr, JoinSet<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("an address");
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut buffer = [0; 64];
        loop {
            if let Ok((length, from)) = socket.recv_from(&mut buffer[1..]).await {
                buffer[0] = number;
                let _ = socket.send_to(&buffer[..=length], from).await;
            }
        }
    });
    (address, task)
}

/// Sends a datagram like no other: which endpoint answers it? An error if it is refused.
async fn ask(socket: &UdpSocket, to: SocketAddr, token: u64) -> io::Result<usize> {
    socket.connect(to).await?;
    socket.send(&token.to_be_bytes()).await?;
    let mut answer = [0; 64];
    let length = timeout(SOON, socket.recv(&mut answer)).await.expect("an answer or a refusal")?;
    assert_eq!(answer[1..length], token.to_be_bytes(), "an answer to something else");
    Ok(answer[0].into())
}

struct World {
    fixture: Loopback<UserspaceProxy>,
    places: [SocketAddr; PLACES],
    endpoints: Vec<SocketAddr>,
    clients: Vec<UdpSocket>,
    /// For each place that is served: the endpoints that answer there, and those of them that new flows go to.
    served: BTreeMap<usize, [BTreeSet<usize>; 2]>,
    /// Which endpoint each client's datagrams to a place go to.
    flows: BTreeMap<(usize, usize), usize>,
    _echo: Vec<JoinSet<()>>,
}

impl World {
    async fn new() -> Self {
        let fixture = fixture();
        let places = [fixture.service_address(), fixture.service_address(), fixture.node_port(), fixture.node_port()];
        let (mut endpoints, mut tasks, mut clients) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..ENDPOINTS {
            let (address, task) = echo(u8::try_from(number).expect("there are few")).await;
            endpoints.push(address);
            tasks.push(task);
        }
        for _ in 0..CLIENTS {
            clients.push(UdpSocket::bind("127.0.0.1:0").await.expect("a free port"));
        }
        let (served, flows) = (BTreeMap::new(), BTreeMap::new());
        Self { fixture, places, endpoints, clients, served, flows, _echo: tasks }
    }

    fn port(&self, shape: &Shape, which: usize) -> ServicePort {
        let endpoint = |(number, known): (usize, &Option<(bool, EndpointState)>)| {
            known.map(|(is_local, state)| Endpoint { address: self.endpoints[number], is_local, state })
        };
        ServicePort {
            node_port: shape.has_node_port.then_some(self.places[2 + which].port()),
            affinity: if shape.affinity { Affinity::ClientIp(SOON * 60) } else { Affinity::None },
            internal: shape.policies[0],
            external: shape.policies[1],
            endpoints: shape.endpoints.iter().enumerate().filter_map(endpoint).collect(),
            ..udp(self.places[which], &[])
        }
    }

    async fn serve(&mut self, shapes: &[Option<Shape>; 2], swapped: bool) {
        let (mut table, mut served) = (ServiceTable::default(), BTreeMap::new());
        for (number, shape) in shapes.iter().enumerate() {
            let Some(shape) = shape else { continue };
            let which = if swapped { 1 - number } else { number };
            let port = self.port(shape, which);
            let numbers = |endpoints: Vec<&Endpoint>| -> BTreeSet<usize> {
                let number = |endpoint: &&Endpoint| self.endpoints.iter().position(|at| *at == endpoint.address);
                endpoints.iter().filter_map(number).collect()
            };
            let of = |policy| [numbers(port.answering_by(policy).collect()), numbers(port.usable_by(policy).collect())];
            served.insert(which, of(port.internal));
            if port.node_port.is_some() {
                served.insert(2 + which, of(port.external));
            }
            table.set(name(["a", "b"][number]), Some(port));
        }
        self.fixture.proxy().sync(Arc::new(table)).await.expect("a good table");
        self.flows.retain(|(_, place), endpoint| {
            served.get(place).is_some_and(|[answering, _]: &[BTreeSet<usize>; 2]| answering.contains(endpoint))
        });
        self.served = served;
    }

    async fn ask(&mut self, client: usize, place: usize, token: u64) {
        let answer = ask(&self.clients[client], self.places[place], token).await.ok();
        let Some([_, usable]) = self.served.get(&place).filter(|[answering, _]| !answering.is_empty()) else {
            assert_eq!(answer, None, "place {place} is refused");
            return;
        };
        let answer = answer.unwrap_or_else(|| panic!("place {place} is refused although {usable:?} are usable"));
        match self.flows.get(&(client, place)) {
            Some(kept) => assert_eq!(answer, *kept, "client {client} keeps its endpoint at place {place}"),
            None => assert!(usable.contains(&answer), "{answer} is none of {usable:?}"),
        }
        self.flows.insert((client, place), answer);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A flow has one endpoint as long as that answers, each client hears the answer to what it sent, and what leads nowhere
    /// is refused, whatever was served before.
    #[test]
    fn datagrams_go_where_the_last_table_says(steps in prop::collection::vec(step(), 1..40)) {
        run(async {
            let mut world = World::new().await;
            for (number, step) in steps.iter().enumerate() {
                match step {
                    Step::Serve { shapes, swapped } => world.serve(shapes, *swapped).await,
                    Step::ServeNonsense => {
                        let mut table = ServiceTable::default();
                        table.set(name("c"), Some(ServicePort { port: 0, ..udp(world.places[0], &[]) }));
                        world.fixture.proxy().sync(Arc::new(table)).await.expect_err("port 0");
                    }
                    Step::Ask { client, place } => world.ask(*client, *place, number as u64).await,
                }
            }
            world.fixture.proxy().clear().await.expect("it can be cleared");
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_hear_only_their_own_answers_while_tables_change_all_the_time() {
    const ASKED: u64 = 500;
    let fixture = fixture();
    let at = fixture.service_address();
    let (mut endpoints, mut tasks) = (Vec::new(), Vec::new());
    for number in 0..4 {
        let (address, task) = echo(number).await;
        endpoints.push(address);
        tasks.push(task);
    }
    let serve = async |round: usize| {
        let some = [endpoints[round % 4], endpoints[(round + 1) % 4]];
        let mut table = ServiceTable::default();
        table.set(name("a"), Some(udp(at, &some)));
        fixture.proxy().sync(Arc::new(table)).await.expect("a good table");
    };
    serve(0).await;
    let (done, mut clients) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for client in 0..8_u64 {
        clients.spawn(async move {
            let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
            socket.connect(at).await.expect("a datagram socket can be told where to send");
            let mut lost = 0_u64;
            for number in 0..ASKED {
                let token = (client << 32 | number).to_be_bytes();
                socket.send(&token).await.expect("nothing is refused");
                let mut answer = [0; 64];
                // An answer that is on its way while its flow ends is lost.
                match timeout(Duration::from_secs(1), socket.recv(&mut answer)).await {
                    Ok(length) => assert_eq!(answer[1..length.expect("nothing is refused")], token),
                    Err(_) => lost += 1,
                }
            }
            lost
        });
    }
    let until = Arc::clone(&done);
    let change = async {
        let mut round = 0;
        while !until.load(Ordering::Relaxed) {
            round += 1;
            serve(round).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let finish = async {
        let lost: u64 = clients.join_all().await.into_iter().sum();
        done.store(true, Ordering::Relaxed);
        lost
    };
    let (lost, ()) = tokio::join!(finish, change);
    assert!(lost < 8 * ASKED / 50, "{lost} answers were lost");
}
