//! What holds of a cluster in a real etcd, and what happens when that is away.

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::Lease;
use orch_core::store::Store as _;
use orch_store::etcd::{EtcdConfig, EtcdStore};
use orch_testkit::daemon::{Access, Etcd, EtcdConfig as Daemon};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::durable::{any_moment, half_way, stopped};
use crate::harness::{Place, get};

/// On which etcds are started and restarted; what is started runs on without it.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime"))
}

fn url(etcd: &Etcd) -> String {
    etcd.endpoints().remove(0).replacen("http", "etcd", 1)
}

/// A part of the etcd that tests share that is nobody else's.
fn part() -> String {
    let etcd = runtime().block_on(Etcd::shared());
    format!("{}/{}", url(etcd), etcd.unique_prefix())
}

#[test]
fn killed_half_way_through_a_rollout_it_takes_over_what_runs_and_completes() {
    half_way(&Place::new("etcd-half-way"), &["--store", &part()]);
}

#[test]
fn killed_again_and_again_at_any_moment_no_pod_ever_runs_twice() {
    any_moment(&Place::new("etcd-moments"), &["--store", &part()]);
}

#[test]
fn stopped_by_ctrl_c_its_objects_stay_and_the_next_run_starts_their_pods_anew() {
    stopped(&Place::new("etcd-stopped"), &["--store", &part()]);
}

#[test]
fn when_etcd_is_killed_what_runs_goes_on_and_changes_wait_until_it_is_back() {
    let etcd = runtime().block_on(Etcd::start());
    let place = Place::new("etcd-killed");
    place.write(&place.recorded_web(2, "one"));
    let mut up = place.up_with(&["--store", &url(&etcd)]);
    let address = up.settles();
    let running = place.processes();
    etcd.kill();
    up.hears(&["the store is away", "what runs goes on"]);
    get(&address).expect("the service answers without the store");
    // A change that is made meanwhile is not lost.
    place.write(&place.recorded_web(3, "one"));
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        assert_eq!(place.processes(), running, "nothing of the pods is disturbed");
    }
    runtime().block_on(etcd.restart());
    up.hears(&["the store is back"]);
    let three = place.wait_for_processes("three run", |pids| pids.len() == 3);
    assert!(running.is_subset(&three), "{running:?} go on: {three:?}");
    up.hears(&["deployment shop/web is complete"]);
    let starts = place.starts();
    assert_eq!(starts.len(), 3, "{starts:?}; it said:\n{}", up.heard.join("\n"));
    up.stop();
    place.assert_nothing_runs();
}

#[test]
fn a_cluster_that_runs_from_one_state_folder_is_refused_to_another_until_it_is_stopped() {
    let store = part();
    let (one, other) = (Place::new("etcd-one"), Place::new("etcd-other"));
    for place in [&one, &other] {
        place.write(&place.recorded_web(1, "one"));
    }
    let mut up = one.up_with(&["--store", &store]);
    up.hears(&["deployment shop/web is complete"]);
    let running = one.processes();
    // Whether it runs or was killed: its pods run.
    for crash in [false, true] {
        let mut refused = other.up_with(&["--store", &store]);
        assert_eq!(refused.ended(), Some(1));
        refused.hears(&["the pods of the cluster in etcd://", "run from", "etcd-one", "--state-dir"]);
        assert_eq!(one.processes(), running);
        if crash {
            up.crash();
            break;
        }
    }
    // And the folder is not given to another cluster while they run.
    let elsewhere = part();
    let mut refused = one.up_with(&["--store", &elsewhere]);
    assert_eq!(refused.ended(), Some(1));
    refused.hears(&["1 pods still run from this state folder", &store]);
    assert_eq!(one.processes(), running);

    let mut up = one.up_with(&["--store", &store]);
    up.hears(&["1 pods still run and go on"]);
    up.hears(&["deployment shop/web is complete"]);
    assert_eq!(one.processes(), running);
    up.stop();
    one.assert_nothing_runs();
    let mut up = other.up_with(&["--store", &store]);
    up.hears(&["deployment shop/web is complete"]);
    up.stop();
    other.assert_nothing_runs();
}

#[test]
fn a_cluster_whose_lease_is_taken_away_is_left_as_it_is() {
    let url = part();
    let place = Place::new("etcd-lost");
    place.write(&place.recorded_web(1, "one"));
    let mut up = place.up_with(&["--store", &url]);
    up.hears(&["deployment shop/web is complete"]);
    let running = place.processes();
    runtime().block_on(async {
        let store = EtcdStore::new(EtcdConfig::from_url(&url).expect("a URL")).expect("a store");
        let key = Key::new(&Lease::KIND, Some("kube-system"), "k8s-like").expect("a key");
        let lease = store.get(&key).await.expect("an answer").expect("the lease");
        store.delete(&key, lease.revision).await.expect("deleted");
    });
    up.hears(&["its lease was taken away"]);
    assert_eq!(up.ended(), Some(1));
    assert_eq!(place.processes(), running);
    // Whose they are now nobody can tell, so they are ended before they are started anew.
    let mut up = place.up_with(&["--store", &url]);
    up.hears(&["stopping 1 pods of an earlier run"]);
    up.hears(&["deployment shop/web is complete"]);
    assert!(place.processes().is_disjoint(&running));
    up.stop();
    place.assert_nothing_runs();
}

#[test]
fn etcd_is_asked_with_a_password_from_a_file_or_with_a_certificate() {
    let place = Place::new("etcd-secret");
    place.write(&place.recorded_web(1, "one"));
    let file = |name: &str, text: &str| {
        let path = place.state().with_file_name(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let start = |access| runtime().block_on(Etcd::start_with(Daemon { access, ..Default::default() }));

    let etcd = start(Access::Password("secret".to_owned()));
    let url = url(&etcd).replace("etcd://", "etcd://root@");
    for (password, said) in [("wrong", "authentication failed"), ("secret\n", "deployment shop/web is complete")] {
        let mut up = place.up_with(&["--store", &format!("{url}/?password-file={}", file("password", password))]);
        up.hears(&[said]);
        match password {
            "wrong" => assert_eq!(up.ended(), Some(1)),
            _ => up.stop(),
        }
    }

    let etcd = start(Access::ClientCertificate);
    let certificates = etcd.certificates().expect("those that were asked for");
    let files = format!(
        "ca={}&cert={}&key={}",
        file("authority.pem", &certificates.authority),
        file("client.pem", &certificates.client),
        file("client.key", &certificates.client_key)
    );
    let mut up = place.up_with(&["--store", &format!("{}/?{files}", self::url(&etcd))]);
    up.hears(&["deployment shop/web is complete"]);
    up.stop();
    place.assert_nothing_runs();
}

#[test]
fn without_etcd_nothing_is_started_and_the_reason_is_told_within_seconds() {
    let place = Place::new("etcd-away");
    place.write(&place.recorded_web(1, "one"));
    let begun = Instant::now();
    let mut up = place.up_with(&["--store", "etcd://127.0.0.1:1/nowhere"]);
    assert_eq!(up.ended(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    up.hears(&["127.0.0.1:1", "refused"]);
    up.hears(&["error: nothing was started"]);
}

#[test]
fn what_is_no_store_is_refused_with_what_to_write_instead() {
    let place = Place::new("no-store");
    place.write(&place.recorded_web(1, "one"));
    for (store, said) in [
        ("sqlite", "choose memory, embedded, or etcd://HOST:PORT"),
        ("etcd://root:secret@127.0.0.1", "password-file=FILE"),
        ("etcds://127.0.0.1", "ca=FILE"),
    ] {
        let mut up = place.up_with(&["--store", store]);
        assert_eq!(up.ended(), Some(2));
        up.hears(&["--store", said]);
    }
    assert!(!place.state().exists(), "nothing was made");
}
