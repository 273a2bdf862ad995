//! [`Tenancy`]: which cluster's pods run from a state folder, and from which state folder a cluster's pods run.

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

/// Ties a state folder, in which the records of processes are, to the cluster whose objects ask for those processes.
///
/// Pods outlive this program, so both sides write down the other, for as long as pods may run: the folder the cluster,
/// in `cluster.json`, and the cluster the folder, as the holder of a [`Lease`] whose uid is the cluster's identity.
/// From another folder, whose agents know nothing of the pods that run, each of them would be started a second time;
/// and of another cluster's pods nobody would know what they are for. Only one process at a time uses a folder, which
/// the runtimes in it see to.
///
/// The lease deliberately never expires: that this program is gone does not mean that its pods are.
#[derive(Debug)]
pub(crate) struct Tenancy {
    client: Client,
    lease: Key,
    file: PathBuf,
    record: FolderRecord,
    store: StoreChoice,
    cluster: Uid,
}

/// Whose pods may still run from the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leftovers {
    /// This cluster's: its agents take them over.
    Own,
    /// Nobody's: no store has objects that ask for them.
    Nobodys,
    /// Those of a cluster whose objects are in this other store.
    Others(String),
}

/// `cluster.json`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FolderRecord {
    /// Tells this folder from any other, wherever it is moved to.
    folder: Uid,
    /// Whose pods may run from it.
    #[serde(default)]
    tenant: Option<Tenant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Tenant {
    cluster: Uid,
    /// Where its objects are, for people.
    store: String,
}

const NAMESPACE: &str = "kube-system";
const NAME: &str = "k8s-like";
/// Where the folder is that holds the lease, for people.
const PLACE: &str = "k8s-like.orch.dev/state-dir";

impl Tenancy {
    /// Makes the cluster in the store run from this folder and from no other, and tells what else may run from there.
    /// No other process may use the folder.
    pub(crate) async fn begin(
        client: &Client,
        state_dir: &Path,
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
        let lease = Key::new(&Lease::KIND, Some(NAMESPACE), NAME)?;
        let cluster = hold(client, &lease, &record.folder, state_dir, store).await?;
        let leftovers = leftovers(record.tenant.as_ref(), &cluster, &store.to_string());
        let store = store.clone();
        Ok((Self { client: client.clone(), lease, file, record, store, cluster }, leftovers))
    }

    /// From now on what runs from the folder is this cluster's: everything else is gone.
    pub(crate) fn settle(&mut self) -> Result<(), TenancyError> {
        self.record.tenant = Some(Tenant { cluster: self.cluster.clone(), store: self.store.to_string() });
        write(&self.file, &self.record)
    }

    /// Whether the cluster still runs from this folder, as far as the store knows.
    pub(crate) async fn holds(&self) -> Result<bool, StoreError> {
        let lease = self.client.store().get_as::<Lease>(&self.lease).await?;
        Ok(lease.is_some_and(|lease| is_held_by(&lease, &self.record.folder)))
    }

    /// Nothing of the cluster runs any more: it may run from any folder, and any cluster from this one.
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

/// Makes the folder the holder of the lease, and returns the identity of the cluster.
async fn hold(
    client: &Client,
    key: &Key,
    folder: &Uid,
    state_dir: &Path,
    store: &StoreChoice,
) -> Result<Uid, TenancyError> {
    let place = format!("{} on {}", state_dir.display(), host_name());
    loop {
        let before = client.store().get_as::<Lease>(key).await?;
        if let Some(lease) = before.as_deref().filter(|lease| store.is_shared() && is_held_by_another(lease, folder)) {
            let place = lease.metadata.annotations.get(PLACE).cloned().unwrap_or_else(|| "another folder".to_owned());
            return Err(TenancyError::Held { store: store.to_string(), place, lease: key.clone() });
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

fn leftovers(tenant: Option<&Tenant>, cluster: &Uid, store: &str) -> Leftovers {
    match tenant {
        Some(tenant) if tenant.cluster == *cluster => Leftovers::Own,
        // The lease is gone with the process, but the same pods are made again.
        Some(tenant) if tenant.store == store && store == StoreChoice::StaticPods.to_string() => Leftovers::Own,
        // Gone with the process, or not what it was: emptied, or the lease was deleted by hand.
        Some(tenant) if tenant.store == StoreChoice::Memory.to_string() || tenant.store == store => Leftovers::Nobodys,
        Some(tenant) => Leftovers::Others(tenant.store.clone()),
        None => Leftovers::Nobodys,
    }
}

fn host_name() -> String {
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

/// Why a cluster cannot run from a folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TenancyError {
    /// Its pods run from another folder.
    #[error(
        "the pods of the cluster in {store} run from {place}: start it from there with --state-dir, or choose another \
         prefix; if that folder is lost and nothing of it runs any more, delete the key {lease} from the store"
    )]
    Held { store: String, place: String, lease: Key },
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
    fn what_runs_is_taken_over_only_by_the_cluster_that_started_it() {
        let tenant = |cluster: &str, store: &str| Tenant { cluster: Uid::new(cluster), store: store.to_owned() };
        let others = || Leftovers::Others("etcd://a".to_owned());
        for (tenant, expected) in [
            (None, Leftovers::Nobodys),
            (Some(tenant("1", "embedded")), Leftovers::Own),
            (Some(tenant("2", "embedded")), Leftovers::Nobodys),
            (Some(tenant("2", "memory")), Leftovers::Nobodys),
            (Some(tenant("2", "etcd://a")), others()),
            // The same cluster by another address.
            (Some(tenant("1", "etcd://a")), Leftovers::Own),
        ] {
            assert_eq!(leftovers(tenant.as_ref(), &Uid::new("1"), "embedded"), expected, "{tenant:?}");
        }
        let folder = StoreChoice::StaticPods.to_string();
        let earlier = Some(&tenant("2", &folder));
        assert_eq!(leftovers(earlier, &Uid::new("1"), &folder), Leftovers::Own);
        assert_eq!(leftovers(earlier, &Uid::new("1"), "memory"), Leftovers::Others(folder.clone()));
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
