//! `k8s-like hello-web`: a small web server to look at. It answers every request with the name of the pod that it runs in.
//!
//! Why it is no program of its own: `cargo run` builds one, and a first run needs both.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// How it serves.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct HelloWeb {
    /// The port to listen on, at the address in POD_IP (127.0.0.1 by default).
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// What to answer besides the pod's name.
    #[arg(long, default_value = "hello")]
    text: String,
    /// Seconds to wait before listening.
    #[arg(long, default_value_t = 0)]
    startup_delay: u64,
    /// Milliseconds to go on serving when asked to end: those who send requests here hear of it no sooner than this
    /// server does.
    #[arg(long, default_value_t = 1_000)]
    drain: u64,
    /// Answer 503 to /healthz.
    #[arg(long)]
    unhealthy: bool,
}

/// Serves until it is asked to end.
pub(crate) async fn hello_web(options: HelloWeb) -> io::Result<()> {
    tokio::time::sleep(Duration::from_secs(options.startup_delay)).await;
    let ip = std::env::var("POD_IP").ok().and_then(|text| text.parse().ok()).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let address = SocketAddr::new(ip, options.port);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
    println!("listening on {address}");
    let pod = std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default();
    let answers = Answers { body: format!("{} from {pod}\n", options.text), healthy: !options.unhealthy };
    let mut stop = signal(SignalKind::terminate())?;
    let drained = async {
        stop.recv().await;
        tokio::time::sleep(Duration::from_millis(options.drain)).await;
    };
    tokio::pin!(drained);
    loop {
        tokio::select! {
            biased;
            () = &mut drained => return Ok(()),
            accepted = listener.accept() => {
                // A peer that gave up between connecting and being accepted is no reason to stop.
                let Ok((stream, peer)) = accepted else { continue };
                let answers = answers.clone();
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, &answers).await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
        }
    }
}

#[derive(Clone)]
struct Answers {
    body: String,
    healthy: bool,
}

/// Answers requests until the peer closes. A request is its head; a body is not expected.
async fn answer(stream: TcpStream, answers: &Answers) -> io::Result<()> {
    /// Longest head that is read.
    const HEAD: u64 = 16 * 1024;
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut head = String::new();
        let mut limited = tokio::io::AsyncReadExt::take(&mut read, HEAD);
        while !head.ends_with("\r\n\r\n") {
            if limited.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let path = head.split(' ').nth(1).unwrap_or("/");
        let (status, body) = match path {
            "/healthz" if answers.healthy => ("200 OK", "ok\n"),
            "/healthz" => ("503 Service Unavailable", "not healthy\n"),
            _ => ("200 OK", answers.body.as_str()),
        };
        let close = head.to_ascii_lowercase().contains("\r\nconnection: close");
        let length = body.len();
        let connection = if close { "close" } else { "keep-alive" };
        let response = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: {connection}\r\n\r\n{body}"
        );
        write.write_all(response.as_bytes()).await?;
        if close {
            return write.shutdown().await;
        }
    }
}
