//! What `EtcdStore` says when it cannot serve, on a real etcd: who may not, what is too much, where there is no etcd.

use std::time::Duration;

use futures::StreamExt as _;
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Namespace;
use orch_core::revision::Revision;
use orch_core::store::{Check, Entry, Expect, Store as _, StoreError, Transact as _, Value, Write};
use orch_store::etcd::{EtcdConfig, EtcdCredentials, EtcdIdentity, EtcdStore, EtcdTls};
use orch_testkit::daemon::{Access, Etcd, EtcdConfig as Daemon};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn of(etcd: &Etcd) -> EtcdConfig {
    EtcdConfig { endpoints: etcd.endpoints(), prefix: etcd.unique_prefix(), ..EtcdConfig::default() }
}

fn store(config: EtcdConfig) -> EtcdStore {
    EtcdStore::new(config).expect("a configuration that can be meant")
}

fn namespace(name: &str, bytes: usize) -> (Key, Value) {
    let mut object = Namespace::default();
    object.metadata.name = name.to_owned();
    object.metadata.annotations.insert("padding".to_owned(), "x".repeat(bytes));
    (object.key().expect("a name"), Value::new(object))
}

async fn create(store: &EtcdStore, name: &str, bytes: usize) -> Result<Entry, StoreError> {
    let (key, value) = namespace(name, bytes);
    store.put(&key, value, Expect::Absent).await
}

/// The message of a refusal for which trying again does not help.
fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(error @ StoreError::Refused { .. }) => {
            assert!(!error.is_transient() && !error.outcome_is_unknown(), "{error}");
            error.to_string()
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// The message of an error for which waiting helps, after which it is known that nothing happened.
fn not_now<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(error @ StoreError::Unavailable { .. }) => {
            assert!(error.is_transient() && !error.outcome_is_unknown(), "{error}");
            error.to_string()
        }
        other => panic!("expected that the store is not available, got {other:?}"),
    }
}

#[tokio::test]
async fn who_does_not_know_the_password_is_refused() {
    let etcd = Etcd::start_with(Daemon { access: Access::Password("right".into()), ..Daemon::default() }).await;
    let with = |password: &str| {
        let credentials = EtcdCredentials { user: "root".into(), password: password.into() };
        store(EtcdConfig { credentials: Some(credentials), prefix: "/one/".into(), ..of(&etcd) })
    };
    let entry = create(&with("right"), "one", 1).await.expect("the right password");
    assert!(refused(create(&with("wrong"), "two", 1).await).contains("check user and password"));
    assert!(refused(with("wrong").watch(&Prefix::all(), entry.revision).await).contains("password"));
    let nobody = store(of(&etcd));
    assert!(refused(nobody.get(&entry.key).await).contains("a user and a password"));
    refused(nobody.watch(&Prefix::all(), entry.revision).await);
    refused(nobody.watch(&Prefix::all(), Revision::ZERO).await);
}

#[tokio::test]
async fn a_token_that_a_restart_made_worthless_is_replaced() {
    let etcd = Etcd::start_with(Daemon { access: Access::Password("right".into()), ..Daemon::default() }).await;
    let credentials = EtcdCredentials { user: "root".into(), password: "right".into() };
    let store = store(EtcdConfig { credentials: Some(credentials), ..of(&etcd) });
    let before = create(&store, "before", 1).await.expect("the right password");
    let mut watch = store.watch(&Prefix::all(), before.revision).await.expect("a watch");
    etcd.restart().await;
    let after = create(&store, "after", 1).await.expect("another token");
    let told = async { watch.next().await.expect("no end").expect("no error").revision() };
    let told = tokio::time::timeout(Duration::from_secs(10), told).await.expect("the watch goes on");
    assert_eq!(told, after.revision);
}

#[tokio::test]
async fn who_shows_no_certificate_or_trusts_another_authority_is_refused() {
    let etcd = Etcd::start_with(Daemon { access: Access::ClientCertificate, ..Daemon::default() }).await;
    let certificates = etcd.certificates().expect("it was asked for").clone();
    let identity = EtcdIdentity { certificate: certificates.client.into(), key: certificates.client_key.into() };
    let right = EtcdTls { authorities: certificates.authority.into(), identity: Some(identity), server_name: None };
    let with = |tls: EtcdTls| store(EtcdConfig { tls: Some(tls), ..of(&etcd) });
    let entry = create(&with(right.clone()), "one", 1).await.expect("an encrypted connection");
    let named = EtcdTls { server_name: Some("localhost".into()), ..right.clone() };
    assert!(with(named).get(&entry.key).await.is_ok(), "the certificate is for that name too");
    let misnamed = EtcdTls { server_name: Some("elsewhere.example".into()), ..right.clone() };
    assert!(refused(with(misnamed).get(&entry.key).await).contains("certificate"));
    refused(with(EtcdTls { identity: None, ..right.clone() }).get(&entry.key).await);
    let others = orch_testkit::daemon::Certificates::generate();
    let distrustful = EtcdTls { authorities: others.authority.into(), ..right.clone() };
    assert!(refused(with(distrustful).get(&entry.key).await).contains("certificate"));
    let broken = EtcdTls { authorities: b"nothing".to_vec(), ..right };
    EtcdStore::new(EtcdConfig { tls: Some(broken), ..of(&etcd) }).expect_err("no certificate in it");
}

#[tokio::test]
async fn what_is_not_etcd_is_refused_and_what_is_away_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let timeout = Duration::from_millis(500);
    let config = EtcdConfig {
        endpoints: vec![address.to_string()],
        timeout,
        connect_timeout: timeout / 2,
        ..EtcdConfig::default()
    };
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            // Until the client ends it.
            while stream.read(&mut [0; 1024]).await.is_ok_and(|bytes| bytes > 0) {}
        }
    });
    let message = refused(create(&store(config.clone()), "one", 1).await);
    assert!(message.contains("does not speak HTTP/2"), "{message}");
    server.abort();
    let _ = server.await;
    let message = not_now(create(&store(config.clone()), "one", 1).await);
    assert!(message.contains(&address.to_string()) && message.contains("refused"), "{message}");
    let silent = TcpListener::bind(address).await.expect("the same port");
    let message = not_now(create(&store(config), "one", 1).await);
    assert!(message.contains("not connected in"), "{message}");
    drop(silent);
}

#[tokio::test]
async fn one_member_that_answers_is_enough() {
    let etcd = Etcd::shared().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").to_string();
    let endpoints = [vec![nobody], etcd.endpoints()].concat();
    let store = store(EtcdConfig { endpoints, ..of(etcd) });
    let entry = create(&store, "one", 1).await.expect("the second endpoint answers");
    assert!(store.get(&entry.key).await.expect("a read").is_some());
}

#[tokio::test]
async fn another_cluster_is_never_asked() {
    let (one, other) = (Etcd::start().await, Etcd::start().await);
    let endpoints = [one.endpoints(), other.endpoints()].concat();
    let store = store(EtcdConfig { endpoints, ..of(&one) });
    let entry = create(&store, "one", 1).await.expect("the first endpoint answers");
    one.kill();
    let message = not_now(store.get(&entry.key).await);
    assert!(message.contains("belongs to the cluster"), "{message}");
    one.restart().await;
    assert!(store.get(&entry.key).await.expect("it is back").is_some());
}

#[tokio::test]
async fn what_is_too_large_is_told_by_its_size() {
    let etcd = Etcd::shared().await;
    let store = store(of(etcd));
    for bytes in [3 << 19, 8 << 20] {
        match create(&store, "large", bytes).await {
            Err(StoreError::TooLarge { key, size, limit }) => {
                assert_eq!((key.name(), limit), ("large", 3 << 19));
                assert!(size > bytes, "{size}");
            }
            other => panic!("an object of {bytes} bytes: {other:?}"),
        }
    }
    create(&store, "just-so", (3 << 19) - 1_000).await.expect("a little less is taken");
    let writes = (0..3).map(|number| put(&format!("half-{number}"), 1 << 19)).collect();
    match store.commit(&[], writes).await {
        Err(StoreError::TransactionTooLarge { unit: "bytes", limit, .. }) => assert_eq!(limit, 3 << 19),
        other => panic!("three objects of half a MiB at once: {other:?}"),
    }
    let check = Check { key: namespace("check", 0).0, expect: Expect::Absent };
    for (writes, fits) in [(128, true), (129, false)] {
        let puts = (1..writes).map(|number| put(&format!("of-{writes}-{number}"), 1)).collect();
        match store.commit(std::slice::from_ref(&check), puts).await {
            Ok(_) => assert!(fits, "{writes} at once"),
            Err(StoreError::TransactionTooLarge { size, limit: 128, unit: "checks and writes" }) => {
                assert!(!fits && size == writes, "{writes} at once");
            }
            Err(other) => panic!("{writes} at once: {other}"),
        }
    }
}

#[tokio::test]
async fn limits_of_the_server_that_are_lower_than_configured_are_told_the_same_way() {
    let arguments = ["--max-txn-ops", "4", "--max-request-bytes", "10000"].map(str::to_owned).to_vec();
    let etcd = Etcd::start_with(Daemon { arguments, ..Daemon::default() }).await;
    let store = store(of(&etcd));
    // More than 10,000 bytes etcd itself refuses, half a MiB more already gRPC.
    for bytes in [20_000, 1 << 20] {
        let refused = create(&store, "large", bytes).await;
        assert!(matches!(refused, Err(StoreError::TooLarge { size, .. }) if size > bytes), "{bytes}: {refused:?}");
    }
    let five = (0..5).map(|number| put(&number.to_string(), 1)).collect();
    let refused = store.commit(&[], five).await;
    assert!(matches!(refused, Err(StoreError::TransactionTooLarge { size: 5, .. })), "{refused:?}");
    create(&store, "small", 1).await.expect("what is within the limits is taken");
}

#[tokio::test]
async fn a_cluster_without_space_says_so_and_still_reads() {
    let arguments = ["--quota-backend-bytes", "4000000"].map(str::to_owned).to_vec();
    let etcd = Etcd::start_with(Daemon { arguments, ..Daemon::default() }).await;
    let store = store(of(&etcd));
    let first = create(&store, "first", 1).await.expect("there is space");
    let full = async {
        for number in 0..100 {
            create(&store, &format!("n{number}"), 500_000).await?;
        }
        Ok(())
    };
    let message = not_now(full.await);
    assert!(message.contains("compact and defragment"), "{message}");
    assert!(store.get(&first.key).await.expect("reads go on").is_some());
}

fn put(name: &str, bytes: usize) -> Write {
    let (key, value) = namespace(name, bytes);
    Write::Put { key, value, expect: Expect::Absent }
}
