//! Whatever comes in, what goes out can be read and is not longer than it may be.

use std::collections::BTreeMap;

use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::AllRecordData;
use orch_core::dns::{PortNames, ServiceNames, Target};
use orch_core::object::Protocol;
use proptest::prelude::*;

use super::*;

fn table() -> NameTable {
    let addresses: Vec<IpAddr> = (0..150).map(|last| IpAddr::from([10, 244, 0, last])).collect();
    let hosts: BTreeMap<_, _> = addresses.iter().map(|a| (a.to_string().replace('.', "-"), vec![*a])).collect();
    let targets = hosts.keys().map(|host| Target { host: Some(host.clone()), port: 80 }).collect();
    let ports = vec![PortNames { name: "http".to_owned(), protocol: Protocol::Tcp, targets }];
    let mut table = NameTable::default();
    let key = "services/shop/web".parse().expect("a key");
    table.set_service(&key, Some(ServiceNames { addresses, hosts, ports }));
    table.set_pod("shop", [10, 244, 0, 1].into(), true);
    table
}

fn question() -> impl Strategy<Value = Vec<u8>> {
    let names = vec![
        "web.shop.svc.cluster.local",
        "_http._tcp.web.shop.svc.cluster.local",
        "10-244-0-1.web.shop.svc.cluster.local",
        "10-244-0-1.shop.pod.cluster.local",
        "1.0.244.10.in-addr.arpa",
        "x.cluster.local",
        "cluster.local",
        "dns-version.cluster.local",
        "example.com",
        ".",
    ];
    let rtypes = vec![Rtype::A, Rtype::AAAA, Rtype::SRV, Rtype::PTR, Rtype::TXT, Rtype::SOA, Rtype::ANY, Rtype::NS];
    let parts = (prop::sample::select(names), prop::sample::select(rtypes), any::<u16>(), any::<Option<u16>>());
    parts.prop_map(|(name, rtype, id, edns)| {
        let mut message = MessageBuilder::new_vec();
        message.header_mut().set_id(id);
        message.header_mut().set_rd(true);
        let mut message = message.question();
        message.push((name.parse::<Name<Vec<u8>>>().expect("a name"), rtype)).expect("room");
        let mut message = message.additional();
        if let Some(room) = edns {
            let opt = message.opt(|opt| {
                opt.set_udp_payload_size(room);
                Ok(())
            });
            opt.expect("room");
        }
        message.finish()
    })
}

/// A question in which a few bytes were changed, or whose end is missing.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (question(), changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(mut message, changes, end, cut)| {
        for (index, byte) in changes {
            let place = index.index(message.len());
            message[place] = byte;
        }
        if cut {
            message.truncate(end.index(message.len() + 1));
        }
        message
    })
}

fn check(message: &[u8], table: Option<&NameTable>, room: usize, forwards: bool) {
    let authority = Authority::new(&Zone::default(), Duration::from_secs(5));
    let Reply::Answer(answer) = authority.reply(message, table, room, forwards) else { return };
    assert!(answer.len() <= room, "{} of {room}", answer.len());
    let read = Message::from_slice(&answer).expect("a header");
    assert!(read.header().qr() && answer[..2] == message[..2]);
    let (questions, answers, authority, additional) = read.sections().expect("sections");
    assert!(questions.count() <= 1);
    for record in answers.chain(authority).chain(additional) {
        record.expect("a record").into_any_record::<AllRecordData<_, _>>().expect("data");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn any_bytes_are_answered_well_or_not_at_all(
        random in prop::collection::vec(any::<u8>(), 0..300),
        mutated in mutated(),
        knows in any::<bool>(),
        tcp in any::<bool>(),
        forwards in any::<bool>(),
    ) {
        let table = knows.then(table);
        let room = if tcp { ROOM_TCP } else { ROOM_UDP };
        check(&random, table.as_ref(), room, forwards);
        check(&mutated, table.as_ref(), room, forwards);
    }
}

#[test]
fn every_whole_question_is_answered_or_handed_on() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let authority = Authority::new(&Zone::default(), Duration::from_secs(5));
    let table = table();
    let run = runner.run(&question(), |message| {
        prop_assert!(authority.reply(&message, Some(&table), ROOM_UDP, true) != Reply::Silence);
        let Reply::Answer(answer) = authority.reply(&message, Some(&table), ROOM_TCP, false) else {
            return Err(TestCaseError::fail("no answer"));
        };
        prop_assert!(!Message::from_slice(&answer).expect("a header").header().tc());
        Ok(())
    });
    run.expect("an answer");
}
