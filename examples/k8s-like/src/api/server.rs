//! [`Api`]: answers requests on the socket of a cluster.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use orch_core::clock::{Clock as _, SystemClock};
use orch_core::key::Key;
use orch_core::kind::Object as _;
use orch_core::object::Pod;
use orch_core::runtime::{ContainerId, ExecRequest, LogOptions, SandboxSpec, SandboxStatus, Session};
use orch_core::store::{Store, StoreExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::objects;
use super::problem::Problem;
use super::session::{self, parse_size};
use super::summary::Summary;
use super::target;
use crate::runtimes::NodeBundle;

/// What is answered: whole, or as it comes.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Answers requests until it is dropped.
#[derive(Debug)]
pub(crate) struct Api {
    socket: PathBuf,
    serving: JoinHandle<()>,
}

/// What requests are about.
#[derive(Debug)]
struct Cluster {
    nodes: Vec<NodeBundle>,
    store: Arc<dyn Store>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ServeError {
    /// The socket.
    #[error("cannot listen on {}: {source} (its folder is chosen by --state-dir)", path.display())]
    Socket { path: PathBuf, source: io::Error },
}

impl Api {
    /// Answers requests about these nodes and objects on a socket that only this user can use. Nobody else may serve
    /// there: what is left of an earlier run is replaced.
    pub(crate) fn serve(socket: PathBuf, nodes: Vec<NodeBundle>, store: Arc<dyn Store>) -> Result<Self, ServeError> {
        let listener = listen(&socket).map_err(|source| ServeError::Socket { path: socket.clone(), source })?;
        let cluster = Arc::new(Cluster { nodes, store });
        let serving = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => drop(tokio::spawn(connection(stream, Arc::clone(&cluster)))),
                    Err(error) => {
                        tracing::warn!(%error, "a connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
        Ok(Self { socket, serving })
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.serving.abort();
        // The next run replaces it in any case.
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn listen(socket: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn connection(stream: UnixStream, cluster: Arc<Cluster>) {
    let service = service_fn(move |request| {
        let cluster = Arc::clone(&cluster);
        async move { Ok::<_, Infallible>(cluster.answer(request).await.unwrap_or_else(|problem| problem.response())) }
    });
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.with_upgrades().await {
        tracing::debug!(%error, "a connection ended");
    }
}

impl Cluster {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Problem> {
        let path = request.uri().path().to_owned();
        let parts: Vec<String> = path.split('/').skip(1).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let query = Query::of(request.uri().query().unwrap_or_default());
        match (request.method(), &parts[..]) {
            (&Method::GET, ["api", collection]) => {
                Ok(json(&objects::list(&*self.store, collection, query.get("namespace")).await?))
            }
            (&Method::GET, ["containerLogs", namespace, pod, container]) => {
                self.logs(namespace, pod, container, &query).await
            }
            (&Method::POST, ["exec", namespace, pod, container]) => {
                let session = self.exec(namespace, pod, container, &query).await?;
                Ok(upgrade(request, session))
            }
            (&Method::POST, ["attach", namespace, pod, container]) => {
                let (node, sandbox) = target::find(&self.nodes, namespace, pod).await?;
                let id = self.container(&sandbox, container, false).await?;
                let session = node.runtime().attach(&id).await?;
                Ok(upgrade(request, session))
            }
            (&Method::POST, ["portForward", namespace, pod]) => {
                let (node, sandbox) = target::find(&self.nodes, namespace, pod).await?;
                let port = query.number("port")?.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
                let port = port.ok_or_else(|| Problem::bad_request("port must be from 1 to 65535"))?;
                let session = node.runtime().port_forward(&sandbox.spec.pod, port).await?;
                Ok(upgrade(request, session))
            }
            (&Method::GET, ["stats", "summary"]) => Ok(json(&Summary::measure(&self.nodes).await?)),
            (&Method::GET, ["images"]) => self.images().await,
            _ => Err(Problem::not_found(format!("there is nothing at {path}"))),
        }
    }

    /// The container of a pod: of this name, or, for `-`, the one that `kubectl` chooses.
    async fn container(&self, sandbox: &SandboxStatus, name: &str, previous: bool) -> Result<ContainerId, Problem> {
        if name != "-" {
            return target::container(sandbox, name, previous);
        }
        let SandboxSpec { namespace, name: pod, .. } = &sandbox.spec;
        let key =
            Key::new(&Pod::KIND, Some(namespace), pod).map_err(|error| Problem::bad_request(error.to_string()))?;
        let main = self.store.get_as::<Pod>(&key).await?.and_then(|pod| target::main_container(&pod));
        target::container(sandbox, main.as_deref().unwrap_or(name), previous)
    }

    async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        query: &Query,
    ) -> Result<Response<Body>, Problem> {
        let (node, sandbox) = target::find(&self.nodes, namespace, pod).await?;
        let id = self.container(&sandbox, container, query.flag("previous")).await?;
        let seconds = query.number("sinceSeconds")?;
        let options = LogOptions {
            tail: query.number("tailLines")?.and_then(|lines| usize::try_from(lines).ok()),
            follow: query.flag("follow"),
            since: seconds.and_then(|seconds| SystemClock.now().checked_sub(Duration::from_secs(seconds)).ok()),
            timestamps: query.flag("timestamps"),
        };
        let output = node.runtime().logs(&id, options).await?;
        let pieces = output.map_ok(Frame::data).map_err(io::Error::other);
        Ok(Response::new(StreamBody::new(pieces).boxed_unsync()))
    }

    async fn exec(&self, namespace: &str, pod: &str, container: &str, query: &Query) -> Result<Session, Problem> {
        let (node, sandbox) = target::find(&self.nodes, namespace, pod).await?;
        let id = self.container(&sandbox, container, false).await?;
        let command: Vec<String> = query.all("command").map(str::to_owned).collect();
        if command.is_empty() {
            return Err(Problem::bad_request("no command is given: name one after --"));
        }
        let terminal = query.get("tty").map(|size| {
            parse_size(size).ok_or_else(|| Problem::bad_request(format!("{size:?} is no size of a terminal")))
        });
        let request = ExecRequest { command, stdin: query.flag("input"), terminal: terminal.transpose()? };
        Ok(node.runtime().open_exec(&id, &request).await?)
    }

    async fn images(&self) -> Result<Response<Body>, Problem> {
        let mut listed = BTreeMap::new();
        for node in &self.nodes {
            let Some(images) = node.images() else { continue };
            let of_node: Vec<_> = images
                .list()
                .await?
                .into_iter()
                .map(|image| {
                    let names: Vec<String> = image.names.iter().map(ToString::to_string).collect();
                    serde_json::json!({"id": image.id, "names": names, "sizeBytes": image.size_bytes})
                })
                .collect();
            listed.insert(node.name(), of_node);
        }
        Ok(json(&listed))
    }
}

/// Answers that the connection is a session from now on, and carries it.
fn upgrade(mut request: Request<Incoming>, session: Session) -> Response<Body> {
    let connection = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match connection.await {
            Ok(connection) => session::serve(connection, session).await,
            Err(error) => tracing::debug!(%error, "a session did not begin"),
        }
    });
    let mut response = Response::new(Full::default().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(http::header::CONNECTION, http::HeaderValue::from_static("Upgrade"));
    headers.insert(http::header::UPGRADE, http::HeaderValue::from_static("orch-session"));
    response
}

fn json(value: &impl serde::Serialize) -> Response<Body> {
    let text = serde_json::to_vec(value).unwrap_or_default();
    Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync())
}

/// What stands behind the question mark.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(k, v)| (decoded(k), decoded(v)))
                .collect(),
        )
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "false")
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Problem::bad_request(format!("{name} must be a number, got {text:?}")))
        };
        self.get(name).map(parse).transpose()
    }
}

/// Text as it was before it was put into an address: `%2F` is `/`.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, after @ ..] = rest {
        let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (first, after) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_an_address_is_read_as_it_was_meant() {
        let query = Query::of("command=sh&command=-c&command=echo%20%26%3D%25&follow&tail=x");
        assert_eq!(query.all("command").collect::<Vec<_>>(), ["sh", "-c", "echo &=%"]);
        assert!(query.flag("follow") && !query.flag("previous"));
        assert!(query.number("tail").is_err() && query.number("none").is_ok());
        assert_eq!(decoded("%zz%2"), "%zz%2");
    }
}
