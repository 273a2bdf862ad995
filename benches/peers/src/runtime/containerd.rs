//! `ContainerdRuntime` against the calls that do the same, and against containerd's own client.

use std::path::PathBuf;
use std::sync::Arc;

use orch_runtime::ContainerdRuntime;
use orch_runtime::containerd::ContainerdConfig;
use orch_testkit::daemon::{Containerd, Host, Inside, Traces, busybox_image};
use tokio::runtime::{Builder, Runtime};

use super::raw_containerd::{Output, RawContainerd, RawContainers, Template};
use super::trip::{self, Containers, Pods, Trips, Way};
use super::{COMMAND, done};
use crate::measure::in_turn;
use crate::row::{Goal, Row};

pub const IMAGE: &str = "docker.io/library/busybox:test";
/// Which of its namespaces is ours, and which of those that we are held against.
const OURS: &str = "bench";
const OTHERS: &str = "others";

/// A containerd with the image, and everybody's way to it. The thread that made it is in its network.
pub struct Place {
    pub pods: Pods,
    raw: RawContainerd,
    template: Template,
    /// Of the containers of the pod that the template is of.
    folder: PathBuf,
    pub executor: Runtime,
    _inside: Inside,
    pub containerd: Containerd,
    _host: Arc<Host>,
}

impl Place {
    /// `executor` makes an executor whose threads are in the network of the daemon.
    pub fn new(mut executor: Builder) -> Self {
        let host = Arc::new(Host::new());
        let inside = host.enter();
        let executor = executor.enable_all().build().expect("a runtime");
        let containerd = executor.block_on(Containerd::start_in(Arc::clone(&host)));
        for namespace in [OURS, OTHERS] {
            containerd.import(namespace, &busybox_image(), IMAGE);
        }
        let mut config = ContainerdConfig::new(containerd.folder().join("runtime"));
        config.socket = containerd.socket();
        config.namespace = OURS.parse().expect("a namespace");
        config.cgroup_parent = containerd.cgroup_parent().into();
        let folder = config.root.join("pods/pod0/containers");
        let (pods, raw, template) = executor.block_on(async {
            let runtime = Arc::new(ContainerdRuntime::open(config).await.expect("a runtime"));
            let pods = Pods { runtime, spec: trip::spec(Some(IMAGE)) };
            pods.start(0).await;
            let template = RawContainerd::connect(&containerd.socket(), OURS).await.template("pod0.main.0").await;
            (pods, RawContainerd::connect(&containerd.socket(), OTHERS).await, template)
        });
        Self { pods, raw, template, folder, executor, _inside: inside, containerd, _host: host }
    }

    /// By no call that is not needed.
    pub fn raw(&self, output: Output) -> RawContainers<'_> {
        RawContainers { containerd: &self.raw, template: &self.template, output, folder: self.folder.clone() }
    }

    /// Of the pod that the template is of, containers of our own.
    fn containers(&self) -> Containers<'_> {
        Containers { pods: &self.pods, pod: trip::sandbox(0).pod }
    }

    /// Removes the last pod, and sees to it that nothing is left of any.
    pub fn leave(self) {
        self.executor.block_on(async {
            self.pods.remove(trip::sandbox(0).pod).await;
            assert_eq!(self.pods.runtime.list().await.expect("a list"), [], "nothing is left behind");
        });
        let left = Traces::from(&self.containerd).of_containers();
        assert!(left.iter().all(|trace| !trace.contains("/raw")), "nothing is left behind: {left:?}");
    }
}

pub fn rows() -> Vec<Row> {
    let place = Place::new(Builder::new_current_thread());
    let daemons = vec![place.containerd.process_id().expect("it runs")];
    let trips = Trips { executor: &place.executor, daemons, pods: 2, at_once: 1 };
    let (containers, logged, filed) = (place.containers(), place.raw(Output::Logger), place.raw(Output::File));
    let client = Client(&place.containerd);
    let [pod, ours, logged, filed, client] = in_turn([
        trips.side("ContainerdRuntime", &place.pods),
        trips.side("ContainerdRuntime", &containers),
        trips.side("the calls that do the same, with the same logger", &logged),
        trips.side("the calls that do the same, output to a file", &filed),
        trips.side("ctr run, ctr task kill, ctr task rm, ctr container rm", &client),
    ]);
    place.leave();
    let (alone, whole) = ("a container in a sandbox that is there", "a pod of one container");
    [
        trip::rows(alone, &ours, &logged, Some(Goal::NanosecondsMore(1e6))),
        trip::rows(alone, &ours, &filed, None),
        trip::rows(alone, &ours, &client, Some(Goal::TimesAsFast(2.0))),
        trip::rows(whole, &pod, &logged, None),
        trip::rows(whole, &pod, &client, Some(Goal::TimesAsFast(2.0))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A container without a network, by containerd's own client.
struct Client<'a>(&'a Containerd);

impl Client<'_> {
    fn ctr(&self, arguments: &[&str]) {
        done("ctr", self.0.ctr(["--namespace", OTHERS].iter().chain(arguments)));
    }
}

impl Way for Client<'_> {
    type Running = String;

    async fn start(&self, number: u32) -> String {
        let id = format!("ctr{number}");
        let group = format!("{}/{OTHERS}/{id}", self.0.cgroup_parent());
        // Else it leaves pipes behind.
        let options = ["run", "--detach", "--null-io", "--cgroup", &group, IMAGE, &id];
        self.ctr(&[&options[..], &COMMAND].concat());
        id
    }

    async fn remove(&self, id: String) {
        self.ctr(&["task", "kill", "--signal", "SIGKILL", &id]);
        // It waits for the end of the task.
        self.ctr(&["task", "rm", "--force", &id]);
        self.ctr(&["container", "rm", &id]);
    }
}
