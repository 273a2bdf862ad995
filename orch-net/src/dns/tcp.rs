//! Questions over TCP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Names;
use super::authority::{ROOM_TCP, Reply};
use super::forward::Over;

/// The pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a question may be. Names have 255 bytes.
const QUESTION_MAX: usize = 4_096;

/// Accepts connections until it is dropped, at most so many at a time.
pub(super) async fn serve(listener: TcpListener, names: Names, connections_max: usize, patience: Duration) {
    let room = Arc::new(Semaphore::new(connections_max.clamp(1, Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let names = names.clone();
                connections.spawn(async move {
                    // However it ends, the client sees that it did.
                    let _ = answer_all(stream, &names, patience).await;
                    drop(permit);
                });
            }
            // The client gave up before it was accepted.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                tracing::warn!(%error, ?PAUSE, "cannot accept connections; trying again after a pause");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Answers the questions of a connection, one after another.
async fn answer_all(mut stream: TcpStream, names: &Names, patience: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let message = timeout(patience, receive(&mut stream, QUESTION_MAX)).await??;
        let answer = match (names.reply(&message, ROOM_TCP), &names.forwarder) {
            (Reply::Answer(answer), _) => Some(answer),
            (Reply::Forward, Some(forwarder)) => forwarder.ask(&message, Over::Tcp).await,
            (Reply::Forward | Reply::Silence, _) => None,
        };
        let Some(answer) = answer else { return Ok(()) };
        timeout(patience, send(&mut stream, &answer)).await??;
    }
}

/// The next message of a connection.
pub(super) async fn receive(stream: &mut TcpStream, length_max: usize) -> io::Result<Vec<u8>> {
    let length = usize::from(stream.read_u16().await?);
    if length > length_max {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// Sends a message.
pub(super) async fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    // In one piece: some clients expect the length and what follows it at once.
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await
}
