//! [`EtcdConfig`]: where the cluster is, and how to talk to it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Where an etcd cluster is, and how to talk to it.
///
/// ```
/// use orch_store::etcd::EtcdConfig;
///
/// let config = EtcdConfig::from_url("etcd://10.0.0.1,10.0.0.2,10.0.0.3:2379/my-cluster")?;
/// assert_eq!((config.endpoints.len(), config.prefix.as_str()), (3, "/my-cluster/"));
/// # Ok::<(), orch_store::etcd::EtcdConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EtcdConfig {
    /// Where its members answer clients: `http://10.0.0.1:2379`, `10.0.0.1`. One that answers is enough; each of the
    /// others is one more that may fail.
    pub endpoints: Vec<String>,
    /// What all names begin with, `/orch/` by default. A slash at its end is added if it has none. Stores with different
    /// prefixes, of which none begins with the other, share a cluster without seeing one another.
    pub prefix: String,
    /// How the connection is encrypted; not at all by default.
    pub tls: Option<EtcdTls>,
    /// Who asks, if the cluster wants to know that by a password; a client certificate tells it without.
    pub credentials: Option<EtcdCredentials>,
    /// How long a request may take, 5 seconds by default. A read that has no answer after half of the time asks another
    /// member. A write that has none after all of it has an unknown outcome.
    pub timeout: Duration,
    /// How long connecting to one member may take until the next one is tried; 2 seconds by default.
    pub connect_timeout: Duration,
    /// The largest request that the servers take, in bytes: their `--max-request-bytes`, 1.5 MiB by default.
    pub request_limit: usize,
    /// The most checks and writes of a transaction that the servers take: their `--max-txn-ops`, 128 by default.
    pub transaction_limit: usize,
    /// How much a watch keeps for a reader that is slow, in bytes; 8 MiB by default. When it is more, the watch is ended
    /// on the server, and resumed where it was when the reader has caught up.
    pub watch_buffer: usize,
}

impl Default for EtcdConfig {
    /// An etcd on this machine.
    fn default() -> Self {
        Self {
            endpoints: vec!["http://127.0.0.1:2379".to_owned()],
            prefix: "/orch/".to_owned(),
            tls: None,
            credentials: None,
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            request_limit: 3 << 19,
            transaction_limit: 128,
            watch_buffer: 8 << 20,
        }
    }
}

/// How a connection is encrypted, and who is at its ends. All certificates and keys are PEM.
#[derive(Clone)]
pub struct EtcdTls {
    /// The certificates of the authorities that vouch for the servers. No others are trusted, the system's neither.
    pub authorities: Vec<u8>,
    /// Who this client is.
    pub identity: Option<EtcdIdentity>,
    /// What the servers' certificates are for, if that is not their endpoints' hosts.
    pub server_name: Option<String>,
}

/// A client's certificate. Clusters can take its common name for the user's name.
#[derive(Clone)]
pub struct EtcdIdentity {
    /// The certificate, and those between it and the authority's.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
}

/// A user and a password.
#[derive(Clone)]
pub struct EtcdCredentials {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: String,
}

impl fmt::Debug for EtcdTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authorities: _, identity, server_name } = self;
        f.debug_struct("EtcdTls").field("identity", identity).field("server_name", server_name).finish_non_exhaustive()
    }
}

impl fmt::Debug for EtcdIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EtcdIdentity(..)")
    }
}

impl fmt::Debug for EtcdCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdCredentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What is wrong with an [`EtcdConfig`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EtcdConfigError {
    /// No endpoint is given.
    #[error("no endpoint is given: name at least one member of the cluster")]
    NoEndpoint,
    /// An endpoint that is none.
    #[error("{text:?} is no endpoint: {why}")]
    Endpoint {
        /// The text as given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The prefix would take in everything in the cluster.
    #[error(
        "the prefix is empty: choose one, so that the store does not take for its own what others keep in the cluster"
    )]
    NoPrefix,
    /// A URL that cannot be read.
    #[error("{url:?} does not name a store: {why}")]
    Url {
        /// The URL, without its password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A certificate or key that cannot be used.
    #[error("cannot use {what}: {why}")]
    Certificate {
        /// Which.
        what: &'static str,
        /// Why.
        why: String,
    },
}
