//! What frameworks are told that ask for what cannot be, and what others notice of them: nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use mesos_like::framework::Connection;
use mesos_like::wire::{Reason, TaskState};
use serde_json::json;

use crate::cluster::{Cluster, eventually};
use crate::framework::{Framework, info, task};

/// A request as it is sent, and the status line, headers and body that come back.
fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
/// A method, headers and a body; the status, and what is said.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

const PATH: &str = "/api/v1/scheduler";

#[tokio::test]
async fn malformed_calls_get_the_codes_and_words_of_mesos() {
    let cluster = Cluster::of("malformed", 0).await;
    let master = cluster.master(1);
    let subscribed = Framework::subscribe(std::slice::from_ref(&master), info("malformed")).await;
    let id = subscribed.id().value;
    let call = |kind: &str| json!({"type": kind, "framework_id": {"value": id}}).to_string();
    let subscribe =
        json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "", "name": "x"}}}).to_string();
    let kill = json!({"type": "KILL", "framework_id": {"value": id}, "kill": {"task_id": {"value": "t"}}}).to_string();
    let short = json!({"type": "ACKNOWLEDGE", "framework_id": {"value": id}, "acknowledge":
        {"agent_id": {"value": "a"}, "task_id": {"value": "t"}, "uuid": "aGk="}})
    .to_string();
    let other = json!({"type": "SUBSCRIBE", "framework_id": {"value": "x"}, "subscribe":
        {"framework_info": {"user": "", "name": "x", "id": {"value": "y"}}}})
    .to_string();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let stream = ("Mesos-Stream-Id", "not-the-one");
    let cases: &[Case<'_>] = &[
        ("GET", &[], "", 405, ""),
        ("PUT", &[JSON], "{}", 405, ""),
        ("POST", &[], "{}", 400, "Expecting 'Content-Type' to be present"),
        ("POST", &[("Content-Type", "text/plain")], "{}", 415, "application/x-protobuf"),
        ("POST", &[JSON], "{", 400, "Failed to parse body into JSON"),
        ("POST", &[JSON], &deep, 400, "Failed to parse body into JSON"),
        ("POST", &[JSON], r#"{"type":["x"]}"#, 400, "Failed to convert JSON into Call protobuf"),
        (
            "POST",
            &[("Content-Type", "application/x-protobuf")],
            "\u{7f}x",
            400,
            "Failed to parse body into Call protobuf",
        ),
        ("POST", &[JSON], "{}", 400, "Failed to validate scheduler::Call: Expecting 'type' to be present"),
        ("POST", &[JSON], &call("ACCEPT"), 400, "Expecting 'accept' to be present"),
        ("POST", &[JSON], &short, 400, "Not a valid UUID"),
        ("POST", &[JSON], &other, 400, "differs from 'subscribe.framework_info.id'"),
        ("POST", &[JSON, ("Accept", "text/html")], &subscribe, 406, "Expecting 'Accept' to allow"),
        ("POST", &[JSON, stream], &subscribe, 400, "should not include the 'Mesos-Stream-Id' header"),
        ("POST", &[JSON], r#"{"type":"REVIVE","framework_id":{"value":"nobody"}}"#, 400, "Framework cannot be found"),
        ("POST", &[JSON], &kill, 400, "should include the 'Mesos-Stream-Id' header"),
        ("POST", &[JSON, stream], &kill, 400, "The stream ID 'not-the-one' included in this request didn't match"),
        ("POST", &[JSON, stream], r#"{"type":"UNKNOWN","framework_id":{"value":"x"}}"#, 501, "UNKNOWN"),
    ];
    for (method, headers, body, status, words) in cases {
        let (got, head, said) = ask(&master, method, PATH, headers, body);
        let shown: String = body.chars().take(80).collect();
        assert_eq!(got, *status, "{method} {headers:?} {shown}: {said}");
        assert!(said.contains(words), "{method} {headers:?} {shown}: {said}");
        if got == 405 {
            assert!(head.contains("allow: post"), "{head}");
        }
    }
    // One that was subscribed, and is not.
    drop(subscribed);
    let refused = || ask(&master, "POST", PATH, &[JSON, stream], &kill);
    eventually("the end of the subscription", async || (refused().0 == 403).then_some(())).await;
    assert_eq!(refused().2, "Framework is not subscribed");
}

#[tokio::test]
async fn what_cannot_be_subscribed_is_told_so_in_its_stream_which_ends() {
    let cluster = Cluster::of("refused", 0).await;
    for (json, words) in [
        (json!({"user": "", "name": "x", "role": "a b"}), "Role 'a b' is invalid"),
        (json!({"user": "", "name": "x", "roles": ["a"]}), "MULTI_ROLE"),
    ] {
        let body = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": json}}).to_string();
        let (status, head, said) = ask(&cluster.master(1), "POST", PATH, &[JSON], &body);
        assert_eq!(status, 200, "{said}");
        assert!(head.contains("mesos-stream-id") && head.contains("transfer-encoding: chunked"), "{head}");
        assert!(said.contains(r#""type":"ERROR""#) && said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn tasks_that_cannot_be_are_refused_with_the_reason_and_the_rest_of_the_offer_is_of_use() {
    let cluster = Cluster::of("invalid", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("invalid")).await;
    let mut nothing = task("nothing", "true");
    nothing.command = None;
    framework.launch([task("a/b", "true"), nothing, task("good", "true")]);
    for (id, words) in [("a/b", "contains invalid characters"), ("nothing", "CommandInfo or ExecutorInfo")] {
        let refused = framework.until_state(id, TaskState::Error).await;
        assert_eq!(refused.reason(), Reason::TaskInvalid);
        assert!(refused.message().contains(words), "{}", refused.message());
    }
    framework.until_state("good", TaskState::Finished).await;
}

#[tokio::test]
async fn two_frameworks_of_one_id_are_one_after_the_other_and_strangers_offers_are_of_no_use() {
    let cluster = Cluster::of("strangers", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("strangers")).await;
    let accept = mesos_like::wire::scheduler::Accept {
        offer_ids: vec!["no-offer".into()],
        operations: vec![{
            let launch = mesos_like::wire::scheduler::Launch { task_infos: vec![task("lost", "true")] };
            let mut operation = mesos_like::wire::scheduler::Operation { launch: Some(launch), ..Default::default() };
            operation.set_type(mesos_like::wire::scheduler::OperationType::Launch);
            operation
        }],
        filters: None,
    };
    let call = mesos_like::wire::scheduler::Call { accept: Some(accept), ..Default::default() };
    framework.call(mesos_like::wire::scheduler::CallType::Accept, call).await;
    let dropped = framework.until_state("lost", TaskState::Dropped).await;
    assert_eq!(dropped.reason(), Reason::InvalidOffers);
    let mut again = info("strangers");
    again.id = Some(framework.id());
    let mut second = Framework::subscribe(&[cluster.master(1)], again).await;
    assert!(framework.master.next().await.expect_err("the first one ends").to_string().contains("failed over"));
    second.launch([task("after", "true")]);
    second.until_state("after", TaskState::Finished).await;
}

#[tokio::test]
async fn a_chunk_that_never_ends_and_a_subscriber_that_never_reads_hold_up_nobody() {
    let cluster = Cluster::of("stuck", 1).await;
    let master = cluster.master(1);
    let mut half = TcpStream::connect(&master).expect("a connection");
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    half.write_all(format!("{head}ffffff\r\n{{\"type\":").as_bytes()).expect("it is sent");
    let mut deaf = TcpStream::connect(&master).expect("a connection");
    let body = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info":
        {"user": "", "name": "deaf", "failover_timeout": 60}}})
    .to_string();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    deaf.write_all(format!("{head}{body}").as_bytes()).expect("it is sent");
    // It is offered the agent, and takes nothing: its offer is the other's when it is cut off, or when it leaves.
    let mut framework = Framework::subscribe(std::slice::from_ref(&master), info("lively")).await;
    framework.launch([task("lively", "true")]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(deaf);
    framework.until_state("lively", TaskState::Finished).await;
    drop(half);
}

#[tokio::test]
async fn a_master_that_is_none_is_named() {
    let cluster = Cluster::of("none", 1).await;
    // An agent is asked in place of a master.
    let mut lost = Connection::new(vec![cluster.agent(1)], info("lost")).expect("a master is named");
    let error = lost.next().await.expect_err("an agent takes no frameworks").to_string();
    assert!(error.contains("ended"), "{error}");
}
