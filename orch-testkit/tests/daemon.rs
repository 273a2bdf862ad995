//! The daemons of the test kit do what tests of faults suppose that they do.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, io};

use orch_testkit::daemon::{Access, Etcd, EtcdCluster, EtcdConfig};
use orch_testkit::suite::run;

#[test]
fn what_was_written_before_a_kill_is_there_after_the_restart() {
    run(async {
        let etcd = Etcd::start().await;
        let before = etcd.endpoints();
        // "key" and "value" in base64.
        post(&etcd, "/v3/kv/put", r#"{"key": "a2V5", "value": "dmFsdWU="}"#).expect("a write");
        etcd.kill();
        let refused = post(&etcd, "/v3/kv/range", "{}").expect_err("a killed etcd answered");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        etcd.restart().await;
        assert_eq!(etcd.endpoints(), before);
        let found = post(&etcd, "/v3/kv/range", r#"{"key": "a2V5"}"#).expect("a read");
        assert!(found.contains("dmFsdWU="), "{found}");
    });
}

#[test]
fn a_paused_one_is_reached_but_does_not_answer_until_it_is_resumed() {
    run(async {
        let etcd = Etcd::start().await;
        etcd.pause();
        let silence = post(&etcd, "/v3/maintenance/status", "{}").expect_err("a paused etcd answered");
        assert_eq!(silence.kind(), io::ErrorKind::WouldBlock, "the connection or the answer failed: {silence}");
        etcd.resume();
        post(&etcd, "/v3/maintenance/status", "{}").expect("it answers again");
        etcd.pause();
        etcd.kill();
    });
}

#[test]
fn two_members_elect_a_leader_when_the_third_is_killed() {
    run(async {
        let cluster = EtcdCluster::start().await;
        let first = cluster.leader().await;
        assert_eq!(cluster.followers().await.len(), 2);
        first.kill();
        let second = cluster.leader().await;
        assert_ne!(first.endpoints(), second.endpoints());
        first.restart().await;
        post(first, "/v3/kv/range", r#"{"key": "a2V5"}"#).expect("it serves again");
        assert_eq!(cluster.endpoints().len(), 3);
    });
}

#[test]
fn the_others_elect_a_leader_when_theirs_is_cut_off_and_it_follows_when_it_is_back() {
    run(async {
        let cluster = EtcdCluster::start().await;
        let first = cluster.leader().await;
        cluster.isolate(first).await;
        until_answered(first, false).await;
        let others = cluster.members().iter().filter(|member| !std::ptr::eq(*member, first));
        for other in others {
            until_answered(other, true).await;
        }
        cluster.reconnect();
        until_answered(first, true).await;
    });
}

/// Until a member can, or cannot, do what takes a majority.
async fn until_answered(etcd: &Etcd, wanted: bool) {
    until(|| post(etcd, "/v3/kv/range", r#"{"key": "a2V5"}"#).is_ok_and(|answer| answer.contains("200 OK")) == wanted)
        .await;
}

#[test]
fn a_password_is_asked_for() {
    run(async {
        let access = Access::Password("secret".to_owned());
        let etcd = Etcd::start_with(EtcdConfig { access, ..EtcdConfig::default() }).await;
        let refused = post(&etcd, "/v3/kv/range", r#"{"key": "a2V5"}"#).expect("an answer");
        assert!(refused.contains("user name is empty"), "{refused}");
        let wrong = post(&etcd, "/v3/auth/authenticate", r#"{"name": "root", "password": "guess"}"#);
        assert!(wrong.expect("an answer").contains("authentication failed"));
        let right = post(&etcd, "/v3/auth/authenticate", r#"{"name": "root", "password": "secret"}"#);
        assert!(right.expect("an answer").contains("token"));
    });
}

#[test]
fn with_client_certificates_nobody_is_served_in_plain() {
    run(async {
        let access = Access::ClientCertificate;
        let etcd = Etcd::start_with(EtcdConfig { access, ..EtcdConfig::default() }).await;
        assert!(etcd.endpoints()[0].starts_with("https://"));
        assert!(etcd.certificates().is_some_and(|made| made.client.contains("BEGIN CERTIFICATE")));
        let answer = post(&etcd, "/v3/kv/range", r#"{"key": "a2V5"}"#);
        assert!(!answer.as_ref().is_ok_and(|answer| answer.contains("200 OK")), "{answer:?}");
    });
}

#[test]
fn tests_share_one_and_are_kept_apart_by_prefixes() {
    run(async {
        let (one, other) = (Etcd::shared().await, Etcd::shared().await);
        assert_eq!(one.endpoints(), other.endpoints());
        assert_ne!(one.unique_prefix(), other.unique_prefix());
    });
}

/// The shared one is never dropped, so this is also how that one ends.
#[test]
fn it_ends_and_its_folder_is_removed_when_its_test_process_is_killed() {
    const INSIDE: &str = "ORCH_TEST_IS_TO_BE_KILLED";
    if env::var_os(INSIDE).is_some() {
        let etcd = run(Etcd::start());
        println!("\nendpoint {}", etcd.endpoints()[0]);
        let _ = io::stdin().read(&mut [0]);
        unreachable!("nobody ends standard input");
    }
    let name = "it_ends_and_its_folder_is_removed_when_its_test_process_is_killed";
    let mut inside = Command::new(env::current_exe().expect("this program"));
    inside.args(["--exact", name, "--nocapture"]).env(INSIDE, "1").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut inside = inside.spawn().expect("this program starts");
    let output = BufReader::new(inside.stdout.take().expect("a pipe"));
    let mut lines = output.lines().map(|line| line.expect("text"));
    let endpoint = lines.find_map(|line| line.strip_prefix("endpoint http://").map(str::to_owned)).expect("it starts");
    let folder = env::temp_dir().join(format!("orch-etcd-{}-0", inside.id()));
    assert!(folder.exists() && TcpStream::connect(&endpoint).is_ok());
    inside.kill().expect("it runs");
    inside.wait().expect("it ends");
    run(until(|| TcpStream::connect(&endpoint).is_err() && !PathBuf::from(&folder).exists()));
}

async fn until(holds: impl Fn() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), poll).await.expect("it holds within half a minute");
}

/// The answer to a request, whatever its status. The error is of kind `WouldBlock` when none comes in half a second.
fn post(etcd: &Etcd, path: &str, body: &str) -> io::Result<String> {
    let endpoint = etcd.endpoints().remove(0);
    let address = endpoint.split_once("://").expect("a scheme").1.to_owned();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    write!(stream, "POST {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
