//! Who answers what, by how a master stands with the others.

use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::entropy::SeededEntropy;
use tokio::net::TcpListener;

use super::*;
use crate::http::Server;
use crate::master::flags::tests::flags;

#[derive(Debug)]
pub(crate) struct Echo;

#[async_trait]
impl Leads for Echo {
    async fn answer(&self, route: Route, rest: &str, request: Request<Incoming>, _: SocketAddr) -> Answer {
        text(StatusCode::OK, format!("{route:?} {rest} {}", request.method()))
    }

    async fn metrics(&self) -> Vec<(String, f64)> {
        vec![("master/slaves_active".to_owned(), 3.0)]
    }
}

struct Master {
    server: Server,
    info: MasterInfo,
    stand: watch::Sender<Stand>,
}

async fn master(arguments: &[&str]) -> Master {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let flags = flags(arguments).expect("flags");
    let about = Arc::new(About::new(flags, port, SystemClock.now(), &SeededEntropy::from_os()));
    let (stand, stands) = watch::channel(Stand::Unknown);
    let info = about.info.clone();
    let server = Server::start(listener, Arc::new(Front::new(about, stands))).expect("a server");
    Master { server, info, stand }
}

async fn ask(master: &Master, method: &str, path: &str) -> (u16, Option<String>, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let request = Request::builder().method(method).uri(format!("http://{}{path}", master.server.address()));
    let answer = client.request(request.body(Empty::new()).expect("a request")).await.expect("an answer");
    let status = answer.status().as_u16();
    let location = answer.headers().get(LOCATION).map(|location| location.to_str().expect("text").to_owned());
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, location, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_follower_sends_everybody_to_the_leader_and_nobody_anywhere_if_there_is_none() {
    let follower = master(&[]).await;
    for method in ["GET", "POST", "DELETE"] {
        let (status, location, said) = ask(&follower, method, "/api/v1/scheduler").await;
        assert_eq!((status, location, said.as_str()), (503, None, "No leader elected"));
    }
    let (status, _, said) = ask(&follower, "GET", "/").await;
    assert!(status == 503 && said.contains("No leader elected") && said.contains("refresh"), "{said}");
    let leader = master(&[]).await;
    follower.stand.send_replace(Stand::Follows(Box::new(leader.info.clone())));
    let there = leader.server.address();
    for (method, path) in
        [("POST", "/master/api/v1/scheduler"), ("GET", "/tasks?limit=1"), ("GET", "/"), ("GET", "/pages/agents?id=a")]
    {
        let (status, location, _) = ask(&follower, method, path).await;
        assert_eq!((status, location), (307, Some(format!("//{there}{path}"))));
    }
    assert_eq!(ask(&follower, "GET", "/master/redirect").await.1, Some(format!("//{there}")));
    leader.stand.send_replace(Stand::Recovers);
    assert_eq!(ask(&leader, "GET", "/state").await.0, 503);
    assert_eq!(ask(&leader, "GET", "/redirect").await.1, Some(format!("//{there}")));
    assert_eq!(ask(&leader, "GET", "/nothing").await.0, 404);
}

#[tokio::test]
async fn every_master_tells_of_itself() {
    let master = master(&["--cluster=c"]).await;
    assert_eq!(ask(&master, "GET", "/health").await.0, 200);
    assert!(ask(&master, "GET", "/version").await.2.contains("1.11.0"));
    assert!(ask(&master, "GET", "/flags").await.2.contains(r#""cluster":"c""#));
    assert_eq!(ask(&master, "POST", "/version").await.0, 405);
    let elected =
        |metrics: &str| serde_json::from_str::<serde_json::Value>(metrics).expect("JSON")["master/elected"].clone();
    assert_eq!(elected(&ask(&master, "GET", "/metrics/snapshot").await.2), 0.0);
    master.stand.send_replace(Stand::Leads(Arc::new(Echo)));
    let metrics = ask(&master, "GET", "/metrics/snapshot").await.2;
    assert!(elected(&metrics) == 1.0 && metrics.contains("slaves_active") && metrics.contains("system/load_1min"));
}

#[tokio::test]
async fn a_follower_that_is_a_proxy_asks_the_leader_itself() {
    let (follower, leader) = (master(&["--redirect=proxy"]).await, master(&[]).await);
    leader.stand.send_replace(Stand::Leads(Arc::new(Echo)));
    follower.stand.send_replace(Stand::Follows(Box::new(leader.info.clone())));
    assert_eq!(ask(&follower, "DELETE", "/master/quota/dev").await, (200, None, "Quota dev DELETE".to_owned()));
    drop(leader);
    assert_eq!(ask(&follower, "GET", "/state").await.0, 502);
}
