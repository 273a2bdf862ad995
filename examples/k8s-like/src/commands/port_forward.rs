//! `k8s-like port-forward`

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::str::FromStr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::api::{ApiClient, ApiError, CHANNEL_ERROR, CHANNEL_STDIN, CHANNEL_STDOUT, Frame, escaped};
use crate::cli::PortForward;

/// A port of this machine, and the pod's that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    local: u16,
    remote: u16,
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| text.parse::<u16>().map_err(|_| format!("{text:?} is no port"));
        let (local, remote) = match text.split_once(':') {
            Some(("", remote)) => (0, port(remote)?),
            Some((local, remote)) => (port(local)?, port(remote)?),
            None => (port(text)?, port(text)?),
        };
        if remote == 0 {
            return Err("a pod listens on no port 0: use LOCAL:REMOTE, for example 8080:80".to_owned());
        }
        Ok(Self { local, remote })
    }
}

/// Listens on ports of this machine, and leads each connection to the pod, until Ctrl-C.
pub(crate) async fn port_forward(options: PortForward) -> Result<ExitCode, ApiError> {
    let PortForward { at, pod, ports } = options;
    let cluster = at.cluster()?;
    let path = format!("/portForward/{}/{}", escaped(&at.namespace), escaped(pod.strip_prefix("pod/").unwrap_or(&pod)));
    for Ports { local, remote } in ports {
        let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, local)).await;
        let failed =
            |error| ApiError(format!("cannot listen on 127.0.0.1:{local}: {error}: choose another, LOCAL:{remote}"));
        let listener = listening.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        println!("Forwarding from {address} -> {remote}");
        let (cluster, path) = (cluster.clone(), format!("{path}?port={remote}"));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (cluster, path) = (cluster.clone(), path.clone());
                tokio::spawn(async move {
                    if let Err(error) = lead(stream, &cluster, &path).await {
                        eprintln!("error: {error}");
                    }
                });
            }
        });
    }
    // Without a handler, Ctrl-C ends the program: there is nothing to tidy up.
    std::future::pending().await
}

async fn lead(stream: TcpStream, cluster: &ApiClient, path: &str) -> Result<(), ApiError> {
    let (mut from, mut to) = tokio::io::split(cluster.session(path).await?);
    let (mut local_from, mut local_to) = stream.into_split();
    let there = async {
        let mut piece = vec![0; 32 << 10];
        while let Ok(length) = local_from.read(&mut piece).await {
            let frame = Frame::new(CHANNEL_STDIN, piece[..length].to_vec());
            if frame.write(&mut to).await.is_err() || length == 0 {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let back = async {
        while let Ok(Some(Frame { channel, content })) = Frame::read(&mut from).await {
            match channel {
                CHANNEL_STDOUT if local_to.write_all(&content).await.is_err() => break,
                CHANNEL_ERROR => return Err(ApiError(String::from_utf8_lossy(&content).into_owned())),
                _ => {}
            }
        }
        Ok(())
    };
    tokio::select! {
        biased;
        ended = back => ended,
        () = there => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_written_as_kubectl_takes_them() {
        let ports = |text: &str| text.parse::<Ports>();
        assert_eq!(ports("80"), Ok(Ports { local: 80, remote: 80 }));
        assert_eq!(ports("8080:80"), Ok(Ports { local: 8080, remote: 80 }));
        assert_eq!(ports(":80"), Ok(Ports { local: 0, remote: 80 }));
        for wrong in ["", "x", "80:", "80:0", "99999", "1:2:3"] {
            assert!(ports(wrong).is_err(), "{wrong}");
        }
    }
}
