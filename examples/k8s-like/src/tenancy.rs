//! [`Tenancy`]: which cluster's pods run from a state folder, and from which state folder a cluster's pods run.

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use orch_core::client::{Client, ClientError, Precondition};
use orch_core::entropy::SeededEntropy;
use orch_core::key::{Key, KeyError};
use orch_core::kind::Object as _;
use orch_core::object::{Lease, ObjectMeta, Uid};
use orch_core::store::{StoreError, StoreExt as _};
use serde::{Deserialize, Serialize};

use crate::store::StoreChoice;

/// Ties a state folder, in which the records of processes are, to the tenant whose objects ask for those processes: a
/// cluster whose nodes are all there, or one node of a cluster.
///
/// Pods outlive this program, so both sides write down the other, for as long as pods may run: the folder the tenant,
/// in `cluster.json`, and the tenant the folder, as the holder of a [`Lease`] whose uid is the tenant's identity.
/// From another folder, whose agents know nothing of the pods that run, each of them would be started a second time;
/// and of another tenant's pods nobody would know what they are for. Only one process at a time uses a folder, which
/// the runtimes in it see to.
///
/// The lease deliberately never expires: that this program is gone does not mean that its pods are.
#[derive(Debug)]
pub(crate) struct Tenancy {
    client: Client,
    lease: Key,
    file: PathBuf,
    record: FolderRecord,
    tenant: TenantRecord,
}

/// Whose pods run from a state folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tenant {
    /// A cluster, with all its nodes.
    Cluster,
    /// The node of this name.
    Node(String),
}

/// Whose pods may still run from the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leftovers {
    /// This tenant's: its agents take them over.
    Own,
    /// Nobody's: no store has objects that ask for them.
    Nobodys,
    /// Another's.
    Others(TenantRecord),
}

/// `cluster.json`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FolderRecord {
    /// Tells this folder from any other, wherever it is moved to.
    folder: Uid,
    /// Whose pods may run from it.
    #[serde(default)]
    tenant: Option<TenantRecord>,
}

/// A tenant, as a state folder remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TenantRecord {
    /// The uid of its lease.
    cluster: Uid,
    /// Where its objects are, for people.
    store: String,
    /// The name of the node, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

/// Where the leases are by which processes of a cluster know of each other.
pub(crate) const NAMESPACE: &str = "kube-system";
/// The lease of the whole cluster.
pub(crate) const NAME: &str = "k8s-like";
/// Who holds it where no state folder does, because nodes are processes of their own.
pub(crate) const MANY_HOSTS: &str = "control-plane";
/// Where the folder is that holds the lease, for people.
pub(crate) const PLACE: &str = "k8s-like.orch.dev/state-dir";

impl Tenancy {
    /// Makes the tenant run from this folder and from no other, and tells what else may run from there. No other process may
    /// use the folder.
    pub(crate) async fn begin(
        client: &Client,
        state_dir: &Path,
        tenant: Tenant,
        store: &StoreChoice,
    ) -> Result<(Self, Leftovers), TenancyError> {
        let file = state_dir.join("cluster.json");
        let record = match read(&file)? {
            Some(record) => record,
            None => {
                let record = FolderRecord { folder: Uid::random(&SeededEntropy::from_os()), tenant: None };
                // Before the lease names it: a folder that forgot its own name would be refused.
                write(&file, &record)?;
                record
            }
        };
        let lease = Key::new(&Lease::KIND, Some(NAMESPACE), &tenant.lease())?;
        let cluster = hold(client, &lease, &record.folder, state_dir, (&tenant, store)).await?;
        let node = if let Tenant::Node(name) = tenant { Some(name) } else { None };
        let tenant = TenantRecord { cluster, store: store.to_string(), node };
        let leftovers = leftovers(record.tenant.as_ref(), &tenant);
        Ok((Self { client: client.clone(), lease, file, record, tenant }, leftovers))
    }

    /// From now on what runs from the folder is this tenant's: everything else is gone.
    pub(crate) fn settle(&mut self) -> Result<(), TenancyError> {
        self.record.tenant = Some(self.tenant.clone());
        write(&self.file, &self.record)
    }

    /// Whether the tenant still runs from this folder, as far as the store knows.
    pub(crate) async fn holds(&self) -> Result<bool, StoreError> {
        let lease = self.client.store().get_as::<Lease>(&self.lease).await?;
        Ok(lease.is_some_and(|lease| is_held_by(&lease, &self.record.folder)))
    }

    /// Nothing of the tenant runs any more: it may run from any folder, and any tenant from this one.
    pub(crate) async fn end(mut self) -> Result<(), TenancyError> {
        self.record.tenant = None;
        write(&self.file, &self.record)?;
        let Some(lease) = self.client.store().get_as::<Lease>(&self.lease).await? else { return Ok(()) };
        if !is_held_by(&lease, &self.record.folder) {
            return Ok(());
        }
        let mut free = Lease::clone(&lease);
        free.spec.holder_identity = None;
        free.metadata.annotations.remove(PLACE);
        self.client.update(free, Precondition::of(&*lease).map_err(TenancyError::Client)?).await?;
        Ok(())
    }
}

impl Tenant {
    fn lease(&self) -> String {
        match self {
            Self::Cluster => NAME.to_owned(),
            Self::Node(name) => format!("{NAME}-node-{name}"),
        }
    }
}

impl fmt::Display for TenantRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Some(name) => write!(f, "node {name} of the cluster in {}", self.store),
            None => f.write_str(&self.store),
        }
    }
}

impl TenantRecord {
    /// What a person starts to have it again.
    pub(crate) fn command(&self) -> String {
        match &self.node {
            Some(name) => format!("`k8s-like node --name {name}` with --store {}", self.store),
            None if self.store == StoreChoice::StaticPods.to_string() => "`k8s-like node` with that folder".to_owned(),
            None => format!("`k8s-like up` with --store {}", self.store),
        }
    }
}

/// Makes the folder the holder of the lease, and returns the identity of the tenant.
async fn hold(
    client: &Client,
    key: &Key,
    folder: &Uid,
    state_dir: &Path,
    (tenant, store): (&Tenant, &StoreChoice),
) -> Result<Uid, TenancyError> {
    let place = format!("{} on {}", state_dir.display(), host_name());
    loop {
        let before = client.store().get_as::<Lease>(key).await?;
        if let Some(lease) = before.as_deref().filter(|lease| store.is_shared() && is_held_by_another(lease, folder)) {
            let is_of_many_hosts = lease.spec.holder_identity.as_deref() == Some(MANY_HOSTS);
            let place = lease.metadata.annotations.get(PLACE).cloned().unwrap_or_else(|| "another folder".to_owned());
            let (store, lease) = (store.to_string(), key.clone());
            return Err(match tenant {
                Tenant::Node(name) => TenancyError::NodeHeld { name: name.clone(), place, lease },
                Tenant::Cluster if is_of_many_hosts => TenancyError::ManyHosts { store, lease },
                Tenant::Cluster => TenancyError::Held { store, place, lease },
            });
        }
        let metadata = ObjectMeta {
            name: key.name().to_owned(),
            namespace: key.namespace().map(str::to_owned),
            ..ObjectMeta::default()
        };
        let mut lease = before.as_deref().cloned().unwrap_or_else(|| Lease { metadata, ..Lease::default() });
        lease.metadata.annotations.insert(PLACE.to_owned(), place.clone());
        lease.spec.holder_identity = Some(folder.as_str().to_owned());
        lease.spec.acquire_time = Some(client.clock().now().into());
        let written = match before {
            None => client.create(lease).await,
            Some(before) => client.update(lease, Precondition::of(&*before)?).await,
        };
        match written {
            Ok(lease) => return Ok(lease.metadata.uid.clone().unwrap_or_default()),
            // Another one was faster; the next look tells who.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_held_by(lease: &Lease, folder: &Uid) -> bool {
    lease.spec.holder_identity.as_deref() == Some(folder.as_str())
}

fn is_held_by_another(lease: &Lease, folder: &Uid) -> bool {
    lease.spec.holder_identity.is_some() && !is_held_by(lease, folder)
}

fn leftovers(former: Option<&TenantRecord>, tenant: &TenantRecord) -> Leftovers {
    let Some(former) = former else { return Leftovers::Nobodys };
    let is_same = (&former.store, &former.node) == (&tenant.store, &tenant.node);
    if former.cluster == tenant.cluster {
        Leftovers::Own
    } else if is_same && tenant.store == StoreChoice::StaticPods.to_string() {
        // The lease is gone with the process, but the same pods are made again.
        Leftovers::Own
    } else if is_same || former.store == StoreChoice::Memory.to_string() {
        // Gone with the process, or not what it was: emptied, or the lease was deleted by hand.
        Leftovers::Nobodys
    } else {
        Leftovers::Others(former.clone())
    }
}

pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "this machine".to_owned(), |name| name.trim_end().to_owned())
}

fn read(file: &Path) -> Result<Option<FolderRecord>, TenancyError> {
    let failed = |source| TenancyError::File { action: "read", file: file.to_owned(), source };
    match std::fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| failed(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Returns when the file will survive a crash of the machine, wholly; after an error it is as it was.
fn write(file: &Path, record: &FolderRecord) -> Result<(), TenancyError> {
    let write = || {
        let beside = file.with_extension("new");
        let mut new = std::fs::File::create(&beside)?;
        new.write_all(&serde_json::to_vec(record)?)?;
        new.sync_all()?;
        std::fs::rename(&beside, file)?;
        file.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
    };
    write().map_err(|source| TenancyError::File { action: "write", file: file.to_owned(), source })
}

/// Why a tenant cannot run from a folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TenancyError {
    /// Its pods run from another folder.
    #[error(
        "the pods of the cluster in {store} run from {place}: start it from there with --state-dir, or choose another \
         prefix; if that folder is lost and nothing of it runs any more, delete the key {lease} from the store"
    )]
    Held { store: String, place: String, lease: Key },
    /// A node of this name runs from another folder.
    #[error(
        "node {name} runs from {place}: start it from there with --state-dir, or choose another --name; if that folder is \
         lost and nothing of it runs any more, delete the key {lease} from the store"
    )]
    NodeHeld { name: String, place: String, lease: Key },
    /// Its nodes are processes of their own.
    #[error(
        "the cluster in {store} has control planes and nodes that are processes of their own: start those (`k8s-like \
         control-plane`, `k8s-like node --name`), or choose another prefix; if there are none any more, delete the key \
         {lease} from the store"
    )]
    ManyHosts { store: String, lease: Key },
    /// The folder's own record.
    #[error("cannot {action} {}: {source}", file.display())]
    File { action: &'static str, file: PathBuf, source: io::Error },
    /// The lease.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The lease.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name of the lease.
    #[error(transparent)]
    Key(#[from] KeyError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_taken_over_only_by_the_tenant_that_started_it() {
        let tenant = |cluster: &str, store: &str| TenantRecord {
            cluster: Uid::new(cluster),
            store: store.to_owned(),
            node: None,
        };
        let node =
            |cluster: &str, name: &str| TenantRecord { node: Some(name.to_owned()), ..tenant(cluster, "etcd://a") };
        let others = |former: &TenantRecord| Leftovers::Others(former.clone());
        let embedded = tenant("1", "embedded");
        assert_eq!(leftovers(None, &embedded), Leftovers::Nobodys);
        for (former, now, expected) in [
            (&embedded, &embedded, Leftovers::Own),
            (&tenant("2", "embedded"), &embedded, Leftovers::Nobodys),
            (&tenant("2", "memory"), &embedded, Leftovers::Nobodys),
            (&tenant("2", "etcd://a"), &embedded, others(&tenant("2", "etcd://a"))),
            // The same cluster by another address.
            (&tenant("1", "etcd://a"), &embedded, Leftovers::Own),
            (&node("2", "a"), &node("3", "b"), others(&node("2", "a"))),
            (&node("2", "a"), &tenant("3", "etcd://a"), others(&node("2", "a"))),
            (&node("2", "a"), &node("3", "a"), Leftovers::Nobodys),
        ] {
            assert_eq!(leftovers(Some(former), now), expected, "{former:?}");
        }
        let folder = StoreChoice::StaticPods.to_string();
        let earlier = tenant("2", &folder);
        assert_eq!(leftovers(Some(&earlier), &tenant("1", &folder)), Leftovers::Own);
        assert_eq!(leftovers(Some(&earlier), &tenant("1", "memory")), others(&earlier));
        assert!(node("2", "a").command().contains("--name a"));
    }

    #[test]
    fn a_record_that_is_no_record_is_told_with_its_file() {
        let folder = std::env::temp_dir().join(format!("k8s-like-tenancy-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("cluster.json");
        let record = FolderRecord { folder: Uid::new("f"), tenant: None };
        assert_eq!(read(&file).expect("none"), None);
        write(&file, &record).expect("written");
        assert_eq!(read(&file).expect("one"), Some(record));
        std::fs::write(&file, "{").expect("written");
        let error = read(&file).expect_err("half a record").to_string();
        assert!(error.contains("cannot read") && error.contains("cluster.json"), "{error}");
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
