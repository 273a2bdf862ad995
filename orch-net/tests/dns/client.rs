//! A client that asks one question and shows the answer as text.

use std::net::SocketAddr;
use std::time::Duration;

use domain::base::iana::{Class, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::AllRecordData;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// An answer, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) code: String,
    pub(crate) question: String,
    pub(crate) answer: Vec<String>,
    pub(crate) authority: Vec<String>,
    pub(crate) additional: Vec<String>,
    pub(crate) authoritative: bool,
    pub(crate) truncated: bool,
    pub(crate) recursion: bool,
    /// How long it is, in bytes.
    pub(crate) length: usize,
}

/// A question: `name`, and a type such as `"A"`.
pub(crate) fn question(id: u16, name: &str, rtype: &str, edns: Option<u16>) -> Vec<u8> {
    of_class(id, name, rtype, Class::IN, edns)
}

pub(crate) fn of_class(id: u16, name: &str, rtype: &str, class: Class, edns: Option<u16>) -> Vec<u8> {
    let mut message = MessageBuilder::new_vec();
    message.header_mut().set_id(id);
    message.header_mut().set_rd(true);
    let mut message = message.question();
    let (name, rtype): (Name<Vec<u8>>, Rtype) = (name.parse().expect("a name"), rtype.parse().expect("a type"));
    message.push((name, rtype, class)).expect("room");
    let mut message = message.additional();
    if let Some(room) = edns {
        let opt = message.opt(|opt| {
            opt.set_udp_payload_size(room);
            Ok(())
        });
        opt.expect("room");
    }
    message.finish()
}

/// Asks over UDP, and looks at what comes back.
pub(crate) async fn ask(server: SocketAddr, name: &str, rtype: &str) -> Seen {
    read(&send(server, &question(1, name, rtype, None)).await.expect("an answer"))
}

/// Sends a message over UDP. Returns what comes back, if something does within a second.
pub(crate) async fn send(server: SocketAddr, message: &[u8]) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    socket.connect(server).await.expect("an address");
    socket.send(message).await.expect("sent");
    let mut buffer = vec![0; 65_535];
    let length = timeout(Duration::from_secs(1), socket.recv(&mut buffer)).await.ok()?.ok()?;
    buffer.truncate(length);
    Some(buffer)
}

/// Sends a message over a TCP connection. Returns what comes back, if something does before the other side ends it.
pub(crate) async fn send_over(stream: &mut TcpStream, message: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(message.len()).expect("short enough");
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await.ok()?;
    let mut answer = vec![0; stream.read_u16().await.ok()?.into()];
    stream.read_exact(&mut answer).await.ok()?;
    Some(answer)
}

/// What an answer says.
pub(crate) fn read(message: &[u8]) -> Seen {
    let message = Message::from_slice(message).expect("a header");
    let header = message.header();
    assert!(header.qr(), "an answer");
    let question = message.first_question();
    let (_, answer, authority, additional) = message.sections().expect("sections");
    let section = |section: domain::base::message::RecordSection<'_, [u8]>| -> Vec<String> {
        section
            .map(|record| {
                let record = record.expect("a record").into_any_record::<AllRecordData<_, _>>().expect("known data");
                match record.data() {
                    AllRecordData::Opt(_) => "OPT".to_owned(),
                    data => format!("{} {} {} {data}", record.owner(), record.ttl().as_secs(), record.rtype()),
                }
            })
            .collect()
    };
    Seen {
        code: message.opt_rcode().to_string(),
        question: question.map(|question| format!("{} {}", question.qname(), question.qtype())).unwrap_or_default(),
        answer: section(answer),
        authority: section(authority),
        additional: section(additional),
        authoritative: header.aa(),
        truncated: header.tc(),
        recursion: header.ra(),
        length: message.as_slice().len(),
    }
}
