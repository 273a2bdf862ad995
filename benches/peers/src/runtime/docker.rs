//! `DockerRuntime` against the requests that do the same, and against Docker's own client.

use std::sync::Arc;

use orch_runtime::DockerRuntime;
use orch_runtime::docker::DockerConfig;
use orch_testkit::daemon::{Dockerd, Traces, busybox_image};

use super::raw_docker::{RawContainers, RawDocker, RawPods};
use super::trip::{self, Pods, Trips, Way};
use super::{COMMAND, done};
use crate::measure::{cost_with_programs, in_turn};
use crate::row::{Goal, Row};

const IMAGE: &str = "busybox:test";
/// How many looks are measured at a time.
const LOOKS: usize = 50;

/// Of the daemons.
pub fn versions() -> String {
    crate::measure::block_on(async {
        let daemon = Dockerd::start().await;
        let docker = done("docker version", daemon.docker(["version", "--format", "{{.Server.Version}}"]));
        let containerd = done("ctr version", daemon.containerd().ctr(["version"]));
        let containerd = containerd.lines().rev().find_map(|line| line.trim().strip_prefix("Version:"));
        format!("Docker {docker}, containerd {}", containerd.unwrap_or_default().trim())
    })
}

pub fn rows() -> Vec<Row> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let daemon = executor.block_on(Dockerd::start());
    daemon.load(&busybox_image(), IMAGE);
    let (pods, raw, templates) = executor.block_on(async {
        let mut config = DockerConfig::new(daemon.folder().join("runtime"), "bench".parse().expect("a scope"));
        config.socket = daemon.socket();
        let runtime = Arc::new(DockerRuntime::open(config).await.expect("a runtime"));
        let pods = Pods { runtime, spec: trip::spec(Some(IMAGE)) };
        let raw = RawDocker::connect(&daemon.socket()).await;
        let model = pods.start(0).await;
        let templates = raw.templates().await;
        pods.remove(model).await;
        (pods, raw, templates)
    });
    let (raw_pods, raw_containers) = (RawPods(&raw, &templates), RawContainers(&raw, &templates));
    let (client, client_pods) = (Client(&daemon), ClientPods(Client(&daemon)));
    let daemons = [daemon.process_id(), daemon.containerd().process_id()].into_iter().flatten().collect();
    let trips = Trips { executor: &executor, daemons, pods: 2, at_once: 1 };
    let socket = &raw;
    let [ours, raw, raw_one, client_one, client] = in_turn([
        trips.side("DockerRuntime", &pods),
        trips.side("the requests that do the same, and no other", &raw_pods),
        trips.side("the requests for one container without a sandbox", &raw_containers),
        trips.side("docker run, docker rm: one container", &client),
        trips.side("docker run and docker rm, twice: two containers, one joins the other", &client_pods),
    ]);
    let look = look(&trips, &pods, socket);
    let left = Traces::from(&daemon).of_containers();
    assert!(left.is_empty(), "nothing is left behind: {left:?}");
    let what = "a pod of one container";
    [
        trip::rows(what, &ours, &raw, Some(Goal::NanosecondsMore(1e6))),
        trip::rows(what, &ours, &raw_one, None),
        trip::rows(what, &ours, &client, Some(Goal::TimesAsFast(2.0))),
        trip::rows(what, &ours, &client_one, None),
    ]
    .into_iter()
    .flatten()
    .chain([look])
    .collect()
}

/// What it takes to look at a pod, as the adapter does before and after it changes something.
fn look(trips: &Trips<'_>, pods: &Pods, raw: &RawDocker) -> Row {
    let pod = trips.executor.block_on(pods.start(0));
    let ours = || async { assert!(pods.runtime.status(&pod).await.expect("Docker answers").is_some()) };
    let theirs = || async { assert_eq!(raw.look(pod.as_str()).await, 2) };
    let row = Row::pair(
        "a look at a pod of one container: DockerRuntime::status",
        "the same three requests on one connection",
        || trips.executor.block_on(cost_with_programs(&trips.daemons, LOOKS, repeated(ours))),
        || trips.executor.block_on(cost_with_programs(&trips.daemons, LOOKS, repeated(theirs))),
    );
    trips.executor.block_on(pods.remove(pod));
    row
}

async fn repeated<F: Future<Output = ()>>(act: impl Fn() -> F) {
    for _ in 0..LOOKS {
        act().await;
    }
}

/// One container, by Docker's own client.
struct Client<'a>(&'a Dockerd);

impl Client<'_> {
    fn run(&self, name: &str, options: &[&str]) -> String {
        let begin = ["run", "--detach", "--name", name];
        let arguments = begin.iter().chain(options).copied().chain([IMAGE]).chain(COMMAND);
        done("docker run", self.0.docker(arguments))
    }

    fn rm(&self, id: &str) {
        done("docker rm", self.0.docker(["rm", "--force", "--volumes", id]));
    }
}

impl Way for Client<'_> {
    type Running = String;

    async fn start(&self, number: u32) -> String {
        self.run(&format!("alone-{number}"), &[])
    }

    async fn remove(&self, id: String) {
        self.rm(&id);
    }
}

/// A container that joins another.
struct ClientPods<'a>(Client<'a>);

impl Way for ClientPods<'_> {
    type Running = [String; 2];

    async fn start(&self, number: u32) -> [String; 2] {
        let sandbox = self.0.run(&format!("sandbox-{number}"), &["--ipc", "shareable"]);
        let joined = format!("container:{sandbox}");
        [self.0.run(&format!("joined-{number}"), &["--network", &joined, "--ipc", &joined]), sandbox]
    }

    async fn remove(&self, pod: [String; 2]) {
        for container in pod {
            self.0.rm(&container);
        }
    }
}
