//! Clients of services and of name servers, on a host.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream, UdpSocket};
use std::time::Duration;

use orch_testkit::daemon::Host;

/// What a web server answers, as a host sees it.
pub(crate) fn fetch(host: &Host, address: &str) -> Option<String> {
    fetch_within(host, address, Duration::from_secs(5))
}

/// The same, for who has no more patience.
pub(crate) fn fetch_within(host: &Host, address: &str, patience: Duration) -> Option<String> {
    let _inside = host.enter();
    let address = address.parse().expect("an address and a port");
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).expect("more than nothing");
    stream.write_all(b"GET / HTTP/1.0\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.trim().rsplit(' ').next().unwrap_or_default().to_owned())
}

/// The addresses that a name server answers for a name, as a host sees it.
pub(crate) fn resolve(host: &Host, server: &str, name: &str) -> Option<Vec<IpAddr>> {
    let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(u8::try_from(label.len()).expect("a label"));
        question.extend(label.bytes());
    }
    // The root, type A, class IN.
    question.extend([0, 0, 1, 0, 1]);
    let _inside = host.enter();
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("more than nothing");
    socket.send_to(&question, (server, 53)).ok()?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer).ok()?;
    let records = answer[..length].get(question.len()..)?;
    // Each record: a pointer to the name, ten bytes of type, class, time and length, and the address.
    Some(
        records
            .chunks_exact(16)
            .take(usize::from(answer[7]))
            .map(|record| [record[12], record[13], record[14], record[15]].into())
            .collect(),
    )
}
