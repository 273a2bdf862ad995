//! Sizes, TCP, and messages that are none.

use std::time::Duration;

use orch_net::DnsConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::client::{ask, question, read, send, send_over};
use super::cluster::{config, server, server_with, table};

const MANY: &str = "many.shop.svc.cluster.local";
const WEB: &str = "web.shop.svc.cluster.local";

#[tokio::test]
async fn what_is_too_long_for_udp_says_so_and_comes_whole_over_tcp() {
    let (server, _board) = server(Some(table())).await;
    let server = server.addresses()[0];
    for (edns, room) in [(None, 512), (Some(100), 512), (Some(800), 800), (Some(4_096), 1_232)] {
        let seen = read(&send(server, &question(1, MANY, "A", edns)).await.expect("an answer"));
        assert!(seen.truncated && seen.length <= room, "{edns:?}: {seen:?}");
        assert!(seen.length > room - 32, "as much as fits: {}", seen.length);
        assert_eq!(seen.additional, if edns.is_some() { vec!["OPT".to_owned()] } else { Vec::new() });
    }
    let mut stream = TcpStream::connect(server).await.expect("a connection");
    for rtype in ["A", "SRV"] {
        let seen = read(&send_over(&mut stream, &question(1, MANY, rtype, None)).await.expect("an answer"));
        let expected = if rtype == "A" { 200 } else { 0 };
        assert_eq!((seen.truncated, seen.answer.len() - expected), (false, if rtype == "A" { 0 } else { 200 }));
    }
}

#[tokio::test]
async fn a_version_of_edns_that_nobody_knows_is_refused_as_such() {
    let (server, _board) = server(Some(table())).await;
    let mut message = question(1, WEB, "A", Some(1_232));
    let version = message.len() - 5;
    message[version] = 1;
    let seen = read(&send(server.addresses()[0], &message).await.expect("an answer"));
    assert_eq!((seen.code.as_str(), seen.additional.len(), seen.answer.len()), ("BADVERS", 1, 0));
}

#[tokio::test]
async fn messages_that_are_no_questions_are_told_so_or_not_answered() {
    let (server, _board) = server(Some(table())).await;
    let server = server.addresses()[0];
    let whole = question(7, WEB, "A", None);
    for length in [12, 13, 20, whole.len() - 1] {
        assert_eq!(read(&send(server, &whole[..length]).await.expect("an answer")).code, "FORMERR", "{length}");
    }
    let mut two = whole.clone();
    two[5] = 2;
    assert_eq!(read(&send(server, &two).await.expect("an answer")).code, "FORMERR");
    let mut pointing = whole.clone();
    pointing[12] = 0xC0;
    assert_eq!(read(&send(server, &pointing).await.expect("an answer")).code, "FORMERR");
    let mut update = whole.clone();
    update[2] |= 5 << 3;
    assert_eq!(read(&send(server, &update).await.expect("an answer")).code, "NOTIMP");
    let mut answer = whole.clone();
    answer[2] |= 0x80;
    let (a, b) = tokio::join!(send(server, &answer), send(server, &whole[..11]));
    assert_eq!((a, b), (None, None), "what is an answer, or too short to be answered");
    assert_eq!(ask(server, WEB, "A").await.code, "NOERROR");
}

#[tokio::test]
async fn connections_that_say_nothing_end_and_keep_nobody_out_for_long() {
    let connection_timeout = Duration::from_millis(200);
    let limited = DnsConfig { connections_max: 2, connection_timeout, ..config() };
    let (server, _board) = server_with(Some(table()), limited).await;
    let server = server.addresses()[0];
    let mut silent = TcpStream::connect(server).await.expect("a connection");
    let mut half = TcpStream::connect(server).await.expect("a connection");
    half.write_all(&[0]).await.expect("sent");
    let mut third = TcpStream::connect(server).await.expect("a connection");
    let answer = timeout(Duration::from_secs(5), send_over(&mut third, &question(1, WEB, "A", None))).await;
    assert_eq!(read(&answer.expect("in time").expect("an answer")).code, "NOERROR");
    for stream in [&mut silent, &mut half] {
        assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)), "it was ended");
    }
}

#[tokio::test]
async fn a_question_over_tcp_that_is_too_long_ends_the_connection() {
    let (server, _board) = server(Some(table())).await;
    let mut stream = TcpStream::connect(server.addresses()[0]).await.expect("a connection");
    assert_eq!(send_over(&mut stream, &vec![0; 5_000]).await, None);
}
