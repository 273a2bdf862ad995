//! As much HTTP as it takes to ask a daemon on this machine how it is.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The body of the answer to `GET path`, whatever its status.
pub(super) async fn get(port: u16, path: &str) -> io::Result<String> {
    exchange(port, &format!("GET {path} HTTP/1.0\r\n\r\n")).await.map(|(_, body)| body)
}

/// The body of the answer to `POST path` if it succeeded.
pub(super) async fn post(port: u16, path: &str, body: &str) -> io::Result<String> {
    let request = format!("POST {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    match exchange(port, &request).await? {
        (200, body) => Ok(body),
        (status, body) => Err(io::Error::other(format!("POST {path} was answered with status {status}: {body}"))),
    }
}

async fn exchange(port: u16, request: &str) -> io::Result<(u16, String)> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let answer = timeout(PATIENCE, async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    });
    let answer = answer.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok((status, body.to_owned()))
}
