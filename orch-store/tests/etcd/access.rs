//! Who may not come in is told so, once and at once; who may goes on when what lets them in ends and is given anew.

use std::time::Duration;

use orch_core::key::Prefix;
use orch_core::store::{Expect, ListOptions, Store as _, StoreError};
use orch_store::EtcdStore;
use orch_store::etcd::{EtcdConfig, EtcdCredentials, EtcdIdentity, EtcdTls};
use orch_testkit::daemon::{self, Access, Certificates, Etcd};
use orch_testkit::suite::run;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::workload::{Workload, held_by, key};
use crate::{TIMEOUT, config_for, store_at};

#[test]
fn a_restart_that_ends_all_tokens_disturbs_nobody() {
    run(async {
        let etcd = with_password(&[]).await;
        let store = || store_with(&etcd, "secret");
        let mut workload = Workload::start(vec![store(), store()], TIMEOUT);
        for _ in 0..3 {
            workload.writes(50).await;
            workload.note("etcd is killed and restarted, and knows no token any more");
            etcd.restart().await;
        }
        workload.writes(50).await;
        workload.finish().await;
    });
}

#[test]
fn a_token_that_ends_is_followed_by_another() {
    run(async {
        let etcd = with_password(&["--auth-token-ttl", "1"]).await;
        let store = store_with(&etcd, "secret");
        let key = key(0);
        let written = store.put(&key, held_by(&key, "me"), Expect::Absent).await.expect("a write");
        // etcd prolongs a token with each use, and looks for old ones once a second.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let changed = store.put(&key, held_by(&key, "me too"), Expect::Revision(written.revision)).await;
        changed.expect("a write after the token ended");
    });
}

#[test]
fn a_wrong_password_is_refused_and_not_tried_for_ever() {
    run(async {
        let etcd = with_password(&[]).await;
        is_refused(&store_with(&etcd, "guess"), "authentication failed").await;
        is_refused(&store_at(etcd.endpoints()), "user").await;
    });
}

#[test]
fn a_client_certificate_lets_in() {
    run(async {
        let etcd = with_certificates().await;
        let tls = tls_of(etcd.certificates().expect("it has some"));
        let store = || store_over(&etcd, Some(tls.clone()));
        let mut workload = Workload::start(vec![store(), store()], TIMEOUT);
        workload.writes(50).await;
        workload.note("etcd is killed and restarted");
        etcd.restart().await;
        workload.writes(50).await;
        workload.finish().await;
    });
}

#[test]
fn nobody_at_the_endpoint_and_nobody_who_answers_are_outages() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let silent = format!("http://{}", listener.local_addr().expect("an address"));
        let closed = "http://127.0.0.1:1".to_owned();
        for endpoint in [silent, closed] {
            let begin = Instant::now();
            let asked = store_at(vec![endpoint.clone()]).get(&key(0)).await;
            let error = asked.expect_err("nobody can have answered");
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
            assert!(error.to_string().contains(endpoint.trim_start_matches("http://")), "{error}");
            assert!(begin.elapsed() < TIMEOUT * 5, "it took {:?} to say so", begin.elapsed());
        }
    });
}

/// Whatever is asked of it.
async fn is_refused(store: &EtcdStore, words: &str) {
    let key = key(0);
    let asked = async {
        [
            store.get(&key).await.map(drop),
            store.list(&Prefix::all(), ListOptions::default()).await.map(drop),
            store.put(&key, held_by(&key, "me"), Expect::Absent).await.map(drop),
            watch(store).await,
        ]
    };
    let answers = timeout(TIMEOUT * 10, asked).await.expect("a refusal is told at once, not tried over and over");
    for answer in answers {
        let error = answer.expect_err("it is refused");
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
        assert!(error.to_string().contains(words), "{words:?} is missing: {error}");
    }
}

/// What a watch says first.
async fn watch(store: &EtcdStore) -> Result<(), StoreError> {
    let mut watch = store.watch(&Prefix::all(), orch_core::revision::Revision::ZERO).await?;
    let first = futures::StreamExt::next(&mut watch).await;
    first.expect("E7: a watch does not end without a word").map(drop)
}

async fn with_password(arguments: &[&str]) -> Etcd {
    let access = Access::Password("secret".to_owned());
    let arguments = arguments.iter().map(ToString::to_string).collect();
    Etcd::start_with(daemon::EtcdConfig { access, arguments }).await
}

async fn with_certificates() -> Etcd {
    let access = Access::ClientCertificate;
    Etcd::start_with(daemon::EtcdConfig { access, ..daemon::EtcdConfig::default() }).await
}

fn store_with(etcd: &Etcd, password: &str) -> EtcdStore {
    let credentials = Some(EtcdCredentials { user: "root".to_owned(), password: password.to_owned() });
    EtcdStore::new(EtcdConfig { credentials, ..config_for(etcd.endpoints()) }).expect("a valid configuration")
}

fn store_over(etcd: &Etcd, tls: Option<EtcdTls>) -> EtcdStore {
    EtcdStore::new(EtcdConfig { tls, ..config_for(etcd.endpoints()) }).expect("a valid configuration")
}

fn tls_of(certificates: &Certificates) -> EtcdTls {
    let Certificates { authority, client, client_key, .. } = certificates.clone();
    let identity = Some(EtcdIdentity { certificate: client.into(), key: client_key.into() });
    EtcdTls { authorities: authority.into(), identity, server_name: None }
}
