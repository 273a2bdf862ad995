//! What is answered for the names of a cluster.

use domain::base::iana::Class;
use orch_net::{DnsConfig, DnsError, DnsServer};

use super::client::{ask, of_class, question, read, send};
use super::cluster::{config, server, server_with, table};

const NONE: &str = "cluster.local 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 4 7200 1800 86400 5";

async fn each(rows: &[(&str, &str, &str, &[&str])]) {
    let (server, _board) = server(Some(table())).await;
    for (name, rtype, code, answer) in rows {
        let seen = ask(server.addresses()[0], name, rtype).await;
        let mut found = seen.answer.clone();
        found.sort();
        assert_eq!(
            (seen.code.as_str(), found),
            (*code, answer.iter().map(ToString::to_string).collect()),
            "{name} {rtype}"
        );
        let authority = if answer.is_empty() { vec![NONE.to_owned()] } else { Vec::new() };
        assert_eq!(seen.authority, authority, "{name} {rtype}");
        assert!(seen.authoritative && !seen.truncated && !seen.recursion, "{name} {rtype}: {seen:?}");
        assert_eq!(seen.question, format!("{} {rtype}", name.trim_end_matches('.')), "{name}");
    }
}

#[tokio::test]
async fn names_lead_where_the_table_says() {
    each(&[
        ("web.shop.svc.cluster.local", "A", "NOERROR", &["web.shop.svc.cluster.local 5 A 10.96.0.1"]),
        ("web.shop.svc.cluster.local.", "AAAA", "NOERROR", &["web.shop.svc.cluster.local 5 AAAA fd00::1"]),
        ("WEB.Shop.SVC.cluster.LOCAL", "A", "NOERROR", &["WEB.Shop.SVC.cluster.LOCAL 5 A 10.96.0.1"]),
        (
            "db.shop.svc.cluster.local",
            "A",
            "NOERROR",
            &["db.shop.svc.cluster.local 5 A 10.244.0.1", "db.shop.svc.cluster.local 5 A 10.244.0.2"],
        ),
        ("db-002.db.shop.svc.cluster.local", "A", "NOERROR", &["db-002.db.shop.svc.cluster.local 5 A 10.244.0.2"]),
        ("10-244-0-1.shop.pod.cluster.local", "A", "NOERROR", &["10-244-0-1.shop.pod.cluster.local 5 A 10.244.0.1"]),
        ("dns-version.cluster.local", "TXT", "NOERROR", &["dns-version.cluster.local 5 TXT \"1.1.0\""]),
        ("cluster.local", "SOA", "NOERROR", &[NONE]),
        ("1.0.96.10.in-addr.arpa", "PTR", "NOERROR", &["1.0.96.10.in-addr.arpa 5 PTR web.shop.svc.cluster.local."]),
        (
            "1.0.244.10.in-addr.arpa",
            "PTR",
            "NOERROR",
            &[
                "1.0.244.10.in-addr.arpa 5 PTR db-001.db.shop.svc.cluster.local.",
                "1.0.244.10.in-addr.arpa 5 PTR db-001.many.shop.svc.cluster.local.",
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_port_is_told_with_the_addresses_of_where_it_is() {
    let (server, _board) = server(Some(table())).await;
    let seen = ask(server.addresses()[0], "_http._tcp.web.shop.svc.cluster.local", "SRV").await;
    assert_eq!(seen.answer, ["_http._tcp.web.shop.svc.cluster.local 5 SRV 0 100 80 web.shop.svc.cluster.local"]);
    assert_eq!(
        seen.additional,
        ["web.shop.svc.cluster.local 5 A 10.96.0.1", "web.shop.svc.cluster.local 5 AAAA fd00::1"]
    );
    for name in ["_http._tcp.db.shop.svc.cluster.local", "db.shop.svc.cluster.local"] {
        let seen = ask(server.addresses()[0], name, "SRV").await;
        let expected = [1, 2].map(|n| format!("{name} 5 SRV 0 100 5432 db-00{n}.db.shop.svc.cluster.local"));
        assert_eq!(seen.answer, expected);
        let expected = [1, 2].map(|n| format!("db-00{n}.db.shop.svc.cluster.local 5 A 10.244.0.{n}"));
        assert_eq!(seen.additional, expected);
    }
}

#[tokio::test]
async fn a_name_with_names_under_it_exists_and_others_do_not() {
    let none: &[&str] = &[];
    each(&[
        ("cluster.local", "A", "NOERROR", none),
        ("svc.cluster.local", "A", "NOERROR", none),
        ("shop.svc.cluster.local", "A", "NOERROR", none),
        ("_tcp.web.shop.svc.cluster.local", "SRV", "NOERROR", none),
        ("_http._tcp.web.shop.svc.cluster.local", "A", "NOERROR", none),
        ("db.shop.svc.cluster.local", "AAAA", "NOERROR", none),
        ("db.shop.svc.cluster.local", "MX", "NOERROR", none),
        ("shop.pod.cluster.local", "A", "NOERROR", none),
        ("10-244-0-1.shop.pod.cluster.local", "AAAA", "NOERROR", none),
        ("dns-version.cluster.local", "A", "NOERROR", none),
        ("x.cluster.local", "A", "NXDOMAIN", none),
        ("other.svc.cluster.local", "A", "NXDOMAIN", none),
        ("x.shop.svc.cluster.local", "A", "NXDOMAIN", none),
        ("db-001.web.shop.svc.cluster.local", "A", "NXDOMAIN", none),
        ("_udp.web.shop.svc.cluster.local", "SRV", "NXDOMAIN", none),
        ("_ftp._tcp.web.shop.svc.cluster.local", "SRV", "NXDOMAIN", none),
        ("10-244-0-2.shop.pod.cluster.local", "A", "NXDOMAIN", none),
        ("10-244-0-1.other.pod.cluster.local", "A", "NXDOMAIN", none),
    ])
    .await;
}

#[tokio::test]
async fn what_is_not_of_the_zone_or_of_no_use_is_refused() {
    let (server, _board) = server(Some(table())).await;
    let server = server.addresses()[0];
    let refused = [
        ("example.com", "A"),
        ("notcluster.local", "A"),
        (".", "NS"),
        ("4.3.2.1.in-addr.arpa", "PTR"),
        ("web.shop.svc.cluster.local", "ANY"),
        ("cluster.local", "AXFR"),
    ];
    for (name, rtype) in refused {
        let seen = ask(server, name, rtype).await;
        assert_eq!((seen.code.as_str(), seen.answer.len(), seen.authority.len()), ("REFUSED", 0, 0), "{name} {rtype}");
    }
    let chaos = send(server, &of_class(1, "web.shop.svc.cluster.local", "TXT", Class::CH, None)).await;
    assert_eq!(read(&chaos.expect("an answer")).code, "REFUSED");
}

#[tokio::test]
async fn as_long_as_nothing_is_known_nothing_is_denied() {
    let (server, board) = server(None).await;
    let server = server.addresses()[0];
    for name in ["web.shop.svc.cluster.local", "1.0.96.10.in-addr.arpa"] {
        assert_eq!(ask(server, name, "A").await.code, "SERVFAIL", "{name}");
    }
    board.publish(table());
    assert_eq!(ask(server, "web.shop.svc.cluster.local", "A").await.code, "NOERROR");
}

#[tokio::test]
async fn addresses_come_in_another_order_each_time() {
    let (server, _board) = server(Some(table())).await;
    let mut firsts = Vec::new();
    for id in 0..4 {
        let answer = send(server.addresses()[0], &question(id, "db.shop.svc.cluster.local", "A", None)).await;
        firsts.push(read(&answer.expect("an answer")).answer[0].clone());
    }
    assert!(firsts[0] != firsts[1] && firsts[0] == firsts[2] && firsts[1] == firsts[3], "{firsts:?}");
}

#[tokio::test]
async fn another_zone_and_ttl_are_used_where_they_are_asked_for() {
    let zone = "Prod.Example.".parse().expect("a zone");
    let ttl = std::time::Duration::from_secs(30);
    let (server, _board) = server_with(Some(table()), DnsConfig { zone, ttl, ..config() }).await;
    let server = server.addresses()[0];
    let seen = ask(server, "web.shop.svc.prod.example", "A").await;
    assert_eq!(seen.answer, ["web.shop.svc.prod.example 30 A 10.96.0.1"]);
    assert_eq!(ask(server, "web.shop.svc.cluster.local", "A").await.code, "REFUSED");
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_and_is_free_again_when_the_server_is_gone() {
    let (first, board) = server(Some(table())).await;
    let address = first.addresses()[0];
    let again = DnsConfig { addresses: vec![address], ..config() };
    let refused = DnsServer::start(again.clone(), board.clone()).await;
    assert!(matches!(refused, Err(DnsError::AddressInUse { address: at }) if at == address), "{refused:?}");
    drop(first);
    for _ in 0..100 {
        match DnsServer::start(again.clone(), board.clone()).await {
            Ok(_) => return,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
    panic!("{address} is still taken");
}
