//! Engines: what it costs to bring every key to its controller, and find that there is nothing to do.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::stream::{self, BoxStream};
use k8s_openapi::api::core::v1::Pod as KubePod;
use kube::client::Body;
use kube::runtime::controller::{Action, Config};
use kube::runtime::{Controller as KubeController, watcher};
use orch_controllers::engine::{Engine, EngineBuilder};
use orch_core::client::Client;
use orch_core::clock::SystemClock;
use orch_core::controller::{Context, Controller, ControllerError, Plan, Trigger, ViewExt as _};
use orch_core::encoding::to_json;
use orch_core::entropy::SeededEntropy;
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::Pod;
use orch_core::store::{Expect, Store as _, Value};
use orch_store::MemoryStore;
use tokio::sync::Notify;

use crate::measure::{Cost, block_on, cost_async};
use crate::objects::pod;
use crate::row::Row;

const PODS: usize = 20_000;
/// As many as both sides ask for by default.
const PAGE: usize = 500;
const ROUNDS: usize = 5;
/// As many reconciles as our engine allows by default. Without a limit, its default, kube-runtime polls all that are
/// under way whenever one is done, and takes many times as long.
const AT_A_TIME: u16 = 2;
const PEER: &str = "kube-runtime's Controller on an API server that is a function";

pub fn rows() -> Vec<Row> {
    let pods: Vec<Pod> = (0..PODS).map(|index| pod(&format!("pod-{index}"))).collect();
    let pages = Arc::new(pages(&pods));
    let server = || Arc::clone(&pages);
    let shared = || ours_from_start(&pods, |pod| Value::new(pod.clone()));
    let decoded = || ours_from_start(&pods, |pod| Value::from_json(json(pod).into()));
    let (from_start, again) = (format!("{PODS} keys listed and reconciled once, "), "nothing to do");
    vec![
        Row::pair(format!("{from_start}{again}"), PEER, shared, || kube_from_start(server())),
        Row::pair(format!("{from_start}{again}, both decode JSON"), PEER, decoded, || kube_from_start(server())),
        Row::pair(
            format!("{PODS} known keys triggered and reconciled again, {again}"),
            "kube-runtime's Controller, reconcile_all_on",
            || ours_again(&pods),
            || kube_again(server()),
        ),
    ]
}

/// Counts reconciles, and tells when each of the pods had one more.
#[derive(Debug, Default)]
struct Progress {
    reconciled: AtomicUsize,
    round: Notify,
}

impl Progress {
    fn one_more(&self) {
        if (self.reconciled.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(PODS) {
            self.round.notify_one();
        }
    }

    async fn round(&self) {
        self.round.notified().await;
    }
}

/// A controller that looks at the object of the key, as kube-runtime does by itself, and finds nothing to do.
#[derive(Debug)]
struct NoOp {
    progress: Arc<Progress>,
    /// Each message triggers all of the keys.
    again: Mutex<Option<UnboundedReceiver<()>>>,
    keys: Arc<[Key]>,
}

#[async_trait]
impl Controller for NoOp {
    fn name(&self) -> &'static str {
        "no-op"
    }

    fn triggers(&self) -> Vec<Trigger> {
        vec![Trigger::itself::<Pod>()]
    }

    fn hints(&self) -> BoxStream<'static, Key> {
        let again = self.again.lock().expect("not poisoned").take().expect("an engine asks once");
        let keys = Arc::clone(&self.keys);
        again.flat_map(move |()| stream::iter(keys.to_vec())).boxed()
    }

    async fn reconcile(&self, key: &Key, context: Context<'_>) -> Result<Plan, ControllerError> {
        assert!(context.view.get::<Pod>(key).is_some());
        self.progress.one_more();
        Ok(Plan::nothing())
    }
}

/// An engine that is ready to be started on a store of the pods, what it reports to, and what triggers all keys.
async fn ours(pods: &[Pod], value: impl Fn(&Pod) -> Value) -> (EngineBuilder, Arc<Progress>, UnboundedSender<()>) {
    let store = MemoryStore::new();
    let keys: Arc<[Key]> = pods.iter().map(|pod| pod.key().expect("a key")).collect();
    for (key, pod) in keys.iter().zip(pods) {
        let entry = store.put(key, value(pod), Expect::Absent).await.expect("nothing is there");
        entry.decode::<Pod>().expect("an engine never reconciles what it cannot read");
    }
    let client = Client::new(Arc::new(store), Arc::new(SystemClock), Arc::new(SeededEntropy::new(7)));
    let (progress, (trigger, again)) = (Arc::new(Progress::default()), unbounded());
    let controller = NoOp { progress: Arc::clone(&progress), again: Mutex::new(Some(again)), keys };
    (Engine::builder(client).controller(Arc::new(controller)), progress, trigger)
}

fn ours_from_start(pods: &[Pod], value: impl Fn(&Pod) -> Value) -> Cost {
    block_on(async {
        let (engine, progress, _trigger) = ours(pods, value).await;
        let run = async {
            let engine = engine.start().expect("one controller goes with itself");
            progress.round().await;
            engine
        };
        cost_async(PODS, run).await
    })
}

fn ours_again(pods: &[Pod]) -> Cost {
    block_on(async {
        let (engine, progress, trigger) = ours(pods, |pod| Value::new(pod.clone())).await;
        let _engine = engine.start().expect("one controller goes with itself");
        progress.round().await;
        cost_async(PODS * ROUNDS, rounds(&trigger, &progress)).await
    })
}

fn kube_from_start(pages: Arc<Vec<String>>) -> Cost {
    block_on(async {
        let (progress, (_trigger, again)) = (Arc::new(Progress::default()), unbounded());
        let controller = kube_controller(api_server(pages), again, Arc::clone(&progress));
        cost_async(PODS, beside(controller, progress.round())).await
    })
}

fn kube_again(pages: Arc<Vec<String>>) -> Cost {
    block_on(async {
        let (progress, (trigger, again)) = (Arc::new(Progress::default()), unbounded());
        let controller = kube_controller(api_server(pages), again, Arc::clone(&progress));
        let measured = async {
            progress.round().await;
            cost_async(PODS * ROUNDS, rounds(&trigger, &progress)).await
        };
        beside(controller, measured).await
    })
}

async fn rounds(trigger: &UnboundedSender<()>, progress: &Progress) {
    for _ in 0..ROUNDS {
        trigger.unbounded_send(()).expect("the engine listens");
        progress.round().await;
    }
}

/// Runs a controller, which never ends, until `run` has.
async fn beside<T>(controller: impl Future<Output = ()>, run: impl Future<Output = T>) -> T {
    tokio::select! { biased; done = run => done, () = controller => unreachable!("a controller never ends") }
}

async fn kube_controller(client: kube::Client, again: UnboundedReceiver<()>, progress: Arc<Progress>) {
    let reconcile = |pod: Arc<KubePod>, progress: Arc<Progress>| async move {
        std::hint::black_box(&pod);
        progress.one_more();
        Ok::<_, Infallible>(Action::await_change())
    };
    let never = |_: Arc<KubePod>, error: &Infallible, _: Arc<Progress>| match *error {};
    let pods: kube::Api<KubePod> = kube::Api::all(client);
    let controller = KubeController::new(pods, watcher::Config::default()).reconcile_all_on(again);
    let controller = controller.with_config(Config::default().concurrency(AT_A_TIME));
    let reconciled = controller.run(reconcile, never, progress);
    reconciled.for_each(async |one| drop(one.expect("the API server answers as it should"))).await;
}

/// Answers listings page by page, and takes watches on which nothing ever happens.
fn api_server(pages: Arc<Vec<String>>) -> kube::Client {
    let answer = move |request: http::Request<Body>| {
        let pages = Arc::clone(&pages);
        async move {
            let parts: Vec<&str> = request.uri().query().unwrap_or_default().split('&').collect();
            if parts.contains(&"watch=true") {
                std::future::pending::<()>().await;
            }
            let page = parts.iter().find_map(|part| part.strip_prefix("continue="));
            let page: usize = page.map_or(0, |page| page.parse().expect("a token that was given out"));
            Ok::<_, Infallible>(http::Response::new(Body::from(pages[page].clone().into_bytes())))
        }
    };
    kube::Client::new(tower::service_fn(answer), "default")
}

fn json(pod: &Pod) -> String {
    let text = to_json(pod).expect("a pod has a JSON form");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// The listing as an API server sends it: each page names the next one.
fn pages(pods: &[Pod]) -> Vec<String> {
    let chunks = pods.chunks(PAGE);
    let last = chunks.len() - 1;
    let page = |(index, pods): (usize, &[Pod])| {
        let next = if index < last { format!(r#","continue":"{}""#, index + 1) } else { String::new() };
        let items: Vec<String> = pods.iter().map(json).collect();
        format!(
            r#"{{"apiVersion":"v1","kind":"PodList","metadata":{{"resourceVersion":"{PODS}"{next}}},"items":[{}]}}"#,
            items.join(",")
        )
    };
    chunks.enumerate().map(page).collect()
}
