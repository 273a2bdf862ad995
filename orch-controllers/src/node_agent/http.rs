//! [`get`]: one HTTP request, by hand: a probe needs the status line and nothing else of the protocol.

use std::fmt::Write as _;
use std::time::Duration;

use orch_core::object::HttpHeader;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How much of an answer is read at most.
const ANSWER_MAX: usize = 10 << 10;
/// How long the rest of an answer is waited for once its status is known.
const REST_WITHIN: Duration = Duration::from_millis(100);

/// Whether a GET request is answered with a status from 200 to 399, otherwise what happened. Redirects are not
/// followed: a probe must not be led elsewhere. It takes as long as the other side wants: put a timeout around it.
///
/// # Errors
/// A message for people, worded as Kubernetes' where it has one.
pub(super) async fn get(host: &str, port: u16, path: &str, headers: &[HttpHeader]) -> Result<(), String> {
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let path = escaped(path);
    let request = request(&authority, &path, headers)?;
    match status(host, port, &request).await {
        Ok(200..400) => Ok(()),
        Ok(status) => Err(format!("HTTP probe failed with statuscode: {status}")),
        Err(error) => Err(format!("Get \"http://{authority}{path}\": {error}")),
    }
}

fn request(authority: &str, path: &str, headers: &[HttpHeader]) -> Result<String, String> {
    let mut text = format!("GET {path} HTTP/1.1\r\n");
    let given = |name: &str| headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
    for (name, value) in
        [("Host", authority), ("User-Agent", "kube-probe/1"), ("Accept", "*/*"), ("Connection", "close")]
    {
        if !given(name) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{name}: {value}\r\n");
        }
    }
    for HttpHeader { name, value } in headers {
        let breaks = |text: &str| text.contains(|c: char| c.is_control() && c != '\t');
        if name.is_empty() || name.contains([':', ' ', '\t']) || breaks(name) || breaks(value) {
            return Err(format!("{name:?}: {value:?} cannot be sent as an HTTP header: mend the probe's httpHeaders"));
        }
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text.push_str("\r\n");
    Ok(text)
}

/// The path as it may stand in a request line: one word of ASCII that begins with a slash.
fn escaped(path: &str) -> String {
    let mut text = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        text.push('/');
    }
    for byte in path.bytes() {
        if byte.is_ascii_graphic() {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

async fn status(host: &str, port: u16, request: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut stream = stream.take(ANSWER_MAX as u64);
    let mut answer = Vec::new();
    let status = loop {
        let end = stream.read_buf(&mut answer).await? == 0;
        match parsed(&answer) {
            Some(status) => break status,
            None if end => return Err(std::io::Error::other("malformed HTTP response")),
            None => {}
        }
    };
    // A server that is hung up on while it writes may take that for a failure of its own.
    let _ = tokio::time::timeout(REST_WITHIN, stream.read_to_end(&mut answer)).await;
    Ok(status)
}

/// The status that an answer begins with (RFC 9112, section 4).
fn parsed(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.")?;
    let [b'0'..=b'9', b' ', digits @ ..] = rest else { return None };
    let (digits, rest) = digits.split_at_checked(3)?;
    let ends = matches!(rest.first(), Some(b' ' | b'\r' | b'\n'));
    std::str::from_utf8(digits).ok().filter(|_| ends)?.parse().ok().filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    /// What a server that answers so makes of a probe, and the request that it got.
    async fn probe(answer: &'static [u8], path: &str, headers: &[HttpHeader]) -> (Result<(), String>, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let serve = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.expect("a request") > 0 {}
            stream.write_all(answer).await.expect("an answer");
            String::from_utf8(request).expect("text")
        };
        tokio::join!(get("127.0.0.1", port, path, headers), serve)
    }

    #[tokio::test]
    async fn a_status_from_200_to_399_is_well_and_nothing_else() {
        for (answer, well) in [
            (&b"HTTP/1.1 200 OK\r\n\r\nhello"[..], true),
            (b"HTTP/1.0 204\r\n\r\n", true),
            (b"HTTP/1.1 302 Found\r\nLocation: http://example.org/\r\n\r\n", true),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", false),
            (b"HTTP/1.1 500 Oh\r\n\r\n", false),
            (b"HTTP/1.1 199 Early\r\n\r\n", false),
            (b"HTTP/1.1 2000 OK\r\n\r\n", false),
            (b"SSH-2.0-OpenSSH\r\n", false),
            (b"", false),
        ] {
            let (result, _) = probe(answer, "/", &[]).await;
            assert_eq!(result.is_ok(), well, "{}: {result:?}", String::from_utf8_lossy(answer));
        }
        let (result, _) = probe(b"HTTP/1.1 503 Busy\r\n\r\n", "/", &[]).await;
        assert_eq!(result, Err("HTTP probe failed with statuscode: 503".to_owned()));
    }

    #[tokio::test]
    async fn the_request_is_one_request_whatever_the_path() {
        let header = HttpHeader { name: "host".into(), value: "example.org".into() };
        let (result, request) = probe(b"HTTP/1.1 200 OK\r\n\r\n", "a b\r\nX: y/é?q=1", &[header]).await;
        assert_eq!(result, Ok(()));
        assert!(request.starts_with("GET /a%20b%0D%0AX:%20y/%C3%A9?q=1 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("host: example.org\r\n") && !request.contains("Host:"), "{request}");
        let broken = HttpHeader { name: "X".into(), value: "a\r\nY: b".into() };
        assert!(get("127.0.0.1", 9, "/", &[broken]).await.expect_err("refused").contains("httpHeaders"));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut() {
        static ANSWER: [u8; 64 << 10] = {
            let mut answer = [b'x'; 64 << 10];
            let start = b"HTTP/1.1 200 OK\r\n\r\n";
            let mut index = 0;
            while index < start.len() {
                answer[index] = start[index];
                index += 1;
            }
            answer
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let serve = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            while stream.write_all(&ANSWER).await.is_ok() {}
        };
        let (result, ()) = tokio::join!(get("127.0.0.1", port, "/", &[]), serve);
        assert_eq!(result, Ok(()));
    }

    #[tokio::test]
    async fn a_refused_connection_says_where() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let message = get("127.0.0.1", port, "/healthz", &[]).await.expect_err("nobody listens");
        assert!(message.starts_with(&format!("Get \"http://127.0.0.1:{port}/healthz\": ")), "{message}");
    }
}
