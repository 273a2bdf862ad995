//! [`RawDocker`]: a Docker daemon by as few requests as will do, which an adapter is held against.
//!
//! One connection, no errors, no deadlines, nothing looked at and nothing written down. What is asked for is a copy of
//! what the adapter's own containers are, so that the daemon has the same work to do.

use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use super::trip::Way;

/// A connection to a daemon.
pub struct RawDocker(Mutex<BufReader<UnixStream>>);

impl RawDocker {
    pub async fn connect(socket: &Path) -> Self {
        Self(Mutex::new(BufReader::new(UnixStream::connect(socket).await.expect("Docker listens"))))
    }

    /// A request, and the JSON of its answer if there is any.
    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = self.0.lock().await;
        stream.get_mut().write_all((head + &body).as_bytes()).await.expect("Docker reads");
        let status = line(&mut stream).await;
        let (mut length, mut chunked) = (0, false);
        loop {
            let header = line(&mut stream).await.to_ascii_lowercase();
            match header.split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse().expect("a length"),
                Some(("transfer-encoding", value)) => chunked = value == "chunked",
                Some(_) => {}
            }
        }
        let mut answer = Vec::new();
        if chunked {
            loop {
                let length = usize::from_str_radix(&line(&mut stream).await, 16).expect("a length");
                exactly(&mut stream, length, &mut answer).await;
                line(&mut stream).await;
                if length == 0 {
                    break;
                }
            }
        } else {
            exactly(&mut stream, length, &mut answer).await;
        }
        let text = String::from_utf8_lossy(&answer);
        assert!(status.starts_with("HTTP/1.1 2"), "{method} {path}: {status}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Makes a container and starts it. Returns its id.
    async fn run(&self, name: &str, container: &Value) -> String {
        let created = self.call("POST", &format!("/containers/create?name={name}"), Some(container)).await;
        let id = created["Id"].as_str().expect("an id").to_owned();
        self.call("POST", &format!("/containers/{id}/start"), None).await;
        id
    }

    async fn remove(&self, id: &str) {
        self.call("DELETE", &format!("/containers/{id}?force=1&v=1"), None).await;
    }

    /// Looks at a pod: a list of its containers, and at each. Returns how many there are.
    pub async fn look(&self, pod: &str) -> usize {
        // {"name":["…"]}, without the characters that no address has.
        let filters = format!("%7B%22name%22%3A%5B%22{pod}%22%5D%7D");
        let listed = self.call("GET", &format!("/containers/json?all=1&filters={filters}"), None).await;
        let listed = listed.as_array().expect("a list");
        for listed in listed {
            let id = listed["Id"].as_str().expect("an id");
            std::hint::black_box(self.call("GET", &format!("/containers/{id}/json"), None).await);
        }
        listed.len()
    }

    /// The sandbox and the container of the only pod that there is, as they are to be asked for again.
    pub async fn templates(&self) -> Templates {
        let listed = self.call("GET", "/containers/json", None).await;
        let mut found = Vec::new();
        for listed in listed.as_array().expect("a list") {
            let id = listed["Id"].as_str().expect("an id");
            let container = self.call("GET", &format!("/containers/{id}/json"), None).await;
            let mut asked = container["Config"].clone();
            asked["HostConfig"] = container["HostConfig"].clone();
            // Who has these is taken for one of ours.
            asked["Labels"] = json!({});
            found.push(asked);
        }
        let joins = |container: &Value| {
            let network = container["HostConfig"]["NetworkMode"].as_str().unwrap_or_default();
            network.starts_with("container:")
        };
        let (mut joined, mut sandboxes): (Vec<_>, Vec<_>) = found.into_iter().partition(joins);
        let (Some(sandbox), Some(mut container)) = (sandboxes.pop(), joined.pop()) else { panic!("a pod") };
        container.as_object_mut().expect("an object").retain(|name, _| name != "Hostname" && name != "Domainname");
        Templates { sandbox, container }
    }
}

/// What the two containers of a pod are.
pub struct Templates {
    sandbox: Value,
    container: Value,
}

/// Two containers, one of which joins the other.
pub struct RawPods<'a>(pub &'a RawDocker, pub &'a Templates);

impl Way for RawPods<'_> {
    type Running = [String; 2];

    async fn start(&self, number: u32) -> [String; 2] {
        let Self(docker, Templates { sandbox, container }) = self;
        let sandbox = docker.run(&format!("raw-sandbox-{number}"), sandbox).await;
        let mut container = container.clone();
        for mode in ["NetworkMode", "IpcMode"] {
            container["HostConfig"][mode] = format!("container:{sandbox}").into();
        }
        [docker.run(&format!("raw-{number}"), &container).await, sandbox]
    }

    async fn remove(&self, pod: [String; 2]) {
        for container in pod {
            self.0.remove(&container).await;
        }
    }
}

/// One container with a network of its own.
pub struct RawContainers<'a>(pub &'a RawDocker, pub &'a Templates);

impl Way for RawContainers<'_> {
    type Running = String;

    async fn start(&self, number: u32) -> String {
        let mut container = self.1.container.clone();
        container["HostConfig"]["NetworkMode"] = self.1.sandbox["HostConfig"]["NetworkMode"].clone();
        container["HostConfig"]["IpcMode"] = "private".into();
        self.0.run(&format!("raw-alone-{number}"), &container).await
    }

    async fn remove(&self, id: String) {
        self.0.remove(&id).await;
    }
}

async fn line(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).await.expect("Docker answers");
    line.trim_end().to_owned()
}

async fn exactly(stream: &mut BufReader<UnixStream>, length: usize, into: &mut Vec<u8>) {
    let begin = into.len();
    into.resize(begin + length, 0);
    stream.read_exact(&mut into[begin..]).await.expect("Docker answers");
}
