//! [`Etcd`]: a member of an etcd cluster, as a rule its only one.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::join_all;
use tokio::sync::OnceCell;

use super::certificates::Certificates;
use super::folder::Folder;
use super::process::Process;
use super::{http, keeper, port, program};

/// A real etcd: one member, alone unless it came from an [`EtcdCluster`](super::EtcdCluster).
///
/// Dropping it kills it and removes its data. All methods may be called while others use it, which is what they are for.
#[derive(Debug)]
pub struct Etcd {
    name: String,
    ports: Ports,
    /// All members and where they talk to one another: `a=http://127.0.0.1:10001,b=…`.
    initial_cluster: String,
    config: EtcdConfig,
    certificates: Option<Certificates>,
    process: Process,
    /// Shared with the other members. The last one removes it.
    folder: Arc<Folder>,
}

/// How an [`Etcd`] is.
#[derive(Clone, Debug, Default)]
pub struct EtcdConfig {
    /// Who may use it.
    pub access: Access,
    /// More arguments on its command line: `["--max-txn-ops", "200"]`.
    pub arguments: Vec<String>,
}

/// Who may use an [`Etcd`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    #[default]
    Open,
    /// Who knows the password of the user `root`, or of another user made since.
    Password(String),
    /// Who shows a certificate of [`Etcd::certificates`], over TLS.
    ClientCertificate,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    client: u16,
    /// For the other members.
    pub(super) peer: u16,
    /// Which port of this member the others know: a gate's, which passes on to `peer`.
    pub(super) advertised: u16,
    /// For health and metrics, without TLS.
    metrics: u16,
}

impl Etcd {
    /// A new one with one member, which everybody on this machine may use.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start() -> Self {
        Self::start_with(EtcdConfig::default()).await
    }

    /// A new one with one member.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start_with(config: EtcdConfig) -> Self {
        launch(async || Ok(prepare(&["alone"], &config)), |members| members).await.remove(0)
    }

    /// The one that all tests of this process share; it ends with the process. Keep apart by
    /// [`unique_prefix`](Self::unique_prefix), and disturb it by no fault.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Etcd> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// Where it answers clients: `["http://127.0.0.1:12345"]`.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        vec![format!("{scheme}://127.0.0.1:{}", self.ports.client)]
    }

    /// A name that nobody else in this process got, to keep the keys of one test apart from those of another.
    #[must_use]
    pub fn unique_prefix(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// What a client needs if [`Access::ClientCertificate`] was asked for.
    #[must_use]
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// Its process, unless it was killed: to ask the operating system what it uses.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Ends it by SIGKILL, as a crash would; no harm if it does not run. Its data stays.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Stops it by SIGSTOP: connections stay, and nobody answers on them.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Panics
    /// When it does not run.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Starts it on the data and ports that it had, killing it before if it runs, and waits until it serves. One of
    /// several members serves only when most of them run: then restart those at the same time.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(&self) {
        self.kill();
        self.spawn();
        self.wait_until_it_serves().await.unwrap_or_else(|why| panic!("{why}"));
    }

    pub(super) fn ports(&self) -> Ports {
        self.ports
    }

    /// What it calls itself to the other members.
    pub(super) async fn id(&self) -> std::io::Result<String> {
        let metrics = http::get(self.ports.metrics, "/metrics").await?;
        let (_, found) = metrics.split_once("etcd_server_id{server_id=\"").ok_or(std::io::ErrorKind::NotFound)?;
        Ok(found.split('"').next().unwrap_or_default().to_owned())
    }

    /// Whether it says that it leads.
    pub(super) async fn leads(&self) -> bool {
        let metrics = http::get(self.ports.metrics, "/metrics").await;
        metrics.is_ok_and(|metrics| metrics.lines().any(|line| line == "etcd_server_is_leader 1"))
    }

    fn spawn(&self) {
        let mut command = keeper::bound_to_this_process(&program::path_of("etcd", "etcd-server"));
        // etcd takes its configuration from the environment too.
        command.env_clear().args(self.arguments()).args(&self.config.arguments).current_dir(self.folder.path());
        self.process.spawn(command);
    }

    fn arguments(&self) -> Vec<String> {
        let Ports { client: _, peer, advertised, metrics } = self.ports;
        let client = self.endpoints().remove(0);
        let mut arguments = vec![
            format!("--name={}", self.name),
            format!("--data-dir={}", self.folder.path().join(&self.name).display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
            format!("--initial-advertise-peer-urls=http://127.0.0.1:{advertised}"),
            format!("--initial-cluster={}", self.initial_cluster),
            format!("--listen-metrics-urls=http://127.0.0.1:{metrics}"),
            "--logger=zap".to_owned(),
            "--log-outputs=stderr".to_owned(),
            // The cheapest: it hashes passwords for tests.
            "--bcrypt-cost=4".to_owned(),
        ];
        if self.certificates.is_some() {
            arguments.extend(
                [
                    "--cert-file=server.pem",
                    "--key-file=server.key",
                    "--trusted-ca-file=authority.pem",
                    "--client-cert-auth",
                ]
                .map(str::to_owned),
            );
        }
        arguments
    }

    /// Waits until it has a leader and answers reads. The error has the end of its log.
    async fn wait_until_it_serves(&self) -> Result<(), String> {
        let serves = async || {
            http::get(self.ports.metrics, "/health").await.is_ok_and(|health| health.contains(r#""health":"true""#))
        };
        self.process.wait_until(serves).await
    }

    /// Makes the user `root` and lets nobody else in.
    async fn require_password(&self, password: &str) -> std::io::Result<()> {
        let user = serde_json::json!({"name": "root", "password": password});
        http::post(self.ports.client, "/v3/auth/user/add", &user.to_string()).await?;
        http::post(self.ports.client, "/v3/auth/user/grant", r#"{"user": "root", "role": "root"}"#).await?;
        http::post(self.ports.client, "/v3/auth/enable", "{}").await.map(drop)
    }
}

/// Makes the members of a cluster and starts them, with others when somebody took a port after it was found to be free.
pub(super) async fn launch<T>(make: impl AsyncFn() -> std::io::Result<T>, members: impl Fn(&T) -> &[Etcd]) -> T {
    const ATTEMPTS: usize = 5;
    for attempt in 1.. {
        let started = match make().await {
            Ok(made) => start(members(&made)).await.map(|()| made),
            Err(error) => Err(format!("etcd cannot be started: {error}")),
        };
        match started {
            Ok(made) => return made,
            Err(why) if attempt < ATTEMPTS && why.to_lowercase().contains("address already in use") => {}
            Err(why) => panic!("{why}"),
        }
    }
    unreachable!("the last attempt returns or panics")
}

async fn start(members: &[Etcd]) -> Result<(), String> {
    members.iter().for_each(Etcd::spawn);
    let started = join_all(members.iter().map(Etcd::wait_until_it_serves)).await;
    started.into_iter().collect::<Result<(), String>>()?;
    match &members[0].config.access {
        Access::Password(password) => {
            members[0].require_password(password).await.map_err(|error| format!("etcd takes no password: {error}"))
        }
        Access::Open | Access::ClientCertificate => Ok(()),
    }
}

/// The members of a cluster, before they are started.
pub(super) fn prepare(names: &[&str], config: &EtcdConfig) -> Vec<Etcd> {
    let folder = Arc::new(Folder::new("etcd"));
    let certificates = (config.access == Access::ClientCertificate).then(Certificates::generate);
    if let Some(made) = &certificates {
        let files =
            [("server.pem", &made.server), ("server.key", &made.server_key), ("authority.pem", &made.authority)];
        for (name, content) in files {
            fs::write(folder.path().join(name), content).expect("a file can be written");
        }
    }
    let ports: Vec<Ports> = names
        .iter()
        .map(|_| port::free())
        .map(|[client, peer, advertised, metrics]| Ports { client, peer, advertised, metrics })
        .collect();
    let peers: Vec<String> =
        names.iter().zip(&ports).map(|(name, ports)| format!("{name}=http://127.0.0.1:{}", ports.advertised)).collect();
    let member = |(name, ports): (&&str, Ports)| Etcd {
        name: (*name).to_owned(),
        ports,
        initial_cluster: peers.join(","),
        config: config.clone(),
        certificates: certificates.clone(),
        process: Process::new(format!("etcd `{name}`"), folder.path().join(format!("{name}.log"))),
        folder: Arc::clone(&folder),
    };
    names.iter().zip(ports).map(member).collect()
}
