//! Questions over UDP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::Names;
use super::authority::{ROOM_UDP, Reply};
use super::forward::Over;

/// The pause after something could not be received.
const PAUSE: Duration = Duration::from_millis(5);

/// Answers until it is dropped. Questions that others are asked for wait beside the rest.
pub(super) async fn serve(socket: UdpSocket, names: Names) {
    let socket = Arc::new(socket);
    let mut forwarded = JoinSet::new();
    let mut buffer = vec![0; 4_096];
    loop {
        let (message, from) = match socket.recv_from(&mut buffer).await {
            // Nobody can be at port 0.
            Ok((_, from)) if from.port() == 0 => continue,
            Ok((length, from)) => (&buffer[..length], from),
            Err(error) => {
                tracing::warn!(%error, ?PAUSE, "cannot receive questions; trying again after a pause");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        while forwarded.try_join_next().is_some() {}
        match (names.reply(message, ROOM_UDP), &names.forwarder) {
            (Reply::Answer(answer), _) => send(&socket, &answer, from).await,
            (Reply::Forward, Some(forwarder)) => {
                let (forwarder, socket, message) = (Arc::clone(forwarder), Arc::clone(&socket), message.to_vec());
                forwarded.spawn(async move {
                    if let Some(answer) = forwarder.ask(&message, Over::Udp).await {
                        send(&socket, &answer, from).await;
                    }
                });
            }
            (Reply::Forward | Reply::Silence, _) => {}
        }
    }
}

async fn send(socket: &UdpSocket, answer: &[u8], to: SocketAddr) {
    if let Err(error) = socket.send_to(answer, to).await {
        tracing::debug!(%error, %to, "cannot send an answer");
    }
}
