//! [`Follower`]: makes a cluster follow a manifest.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orch_core::encoding::Kinds;
use orch_core::kind::AnyObject;
use orch_core::object::{ConfigMap, Deployment, Namespace, Pod, ReplicaSet, Secret, Service};

use crate::apply::Applier;
use crate::control_plane::ControlPlane;
use crate::manifest::{ManifestFile, ManifestFileError};
use crate::show::Voice;

/// How long after a failure the manifest is applied again.
const RETRY: Duration = Duration::from_millis(500);

/// Makes a cluster follow a manifest.
#[derive(Debug)]
pub(crate) struct Follower {
    file: ManifestFile,
    kinds: Kinds,
    /// What it said when it could last be read.
    wanted: Vec<Arc<dyn AnyObject>>,
    namespaces: Vec<String>,
}

impl Follower {
    /// Reads the manifest for the first time. Objects that name no namespace are in this one.
    pub(crate) async fn open(file: PathBuf, namespace: &str) -> Result<Self, ManifestFileError> {
        let kinds = kinds(namespace);
        let mut file = ManifestFile::new(file, kinds.clone());
        let wanted = file.changed().await?;
        Ok(Self { file, kinds, wanted, namespaces: vec![namespace.to_owned(), "default".to_owned()] })
    }

    /// Applies the manifest, now and whenever it changes, for ever. May be dropped at any point.
    pub(crate) async fn follow(&mut self, cluster: &ControlPlane, voice: &Voice) {
        for namespace in &self.namespaces {
            if let Err(error) = cluster.ensure_namespace(namespace).await {
                voice.say(&format!("error: namespace {namespace}: {error}"));
            }
        }
        let path = self.file.path();
        let name = path.display().to_string();
        // The same file is the same manifest, whatever it is called by and from where.
        let identity = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
        let applier = cluster.applier(self.kinds.clone(), identity);
        loop {
            let again = apply(&name, &self.wanted, &applier, voice).await;
            let retry = async { if again { tokio::time::sleep(RETRY).await } else { std::future::pending().await } };
            tokio::select! {
                biased;
                changed = self.file.changed() => match changed {
                    Ok(objects) => self.wanted = objects,
                    Err(error) => {
                        voice.say(&format!("{error}\nerror: {name} is not applied; the cluster goes on as it is"));
                    }
                },
                () = retry => {}
            }
        }
    }
}

/// What a manifest may have.
fn kinds(namespace: &str) -> Kinds {
    Kinds::default()
        .with::<Namespace>()
        .with::<Pod>()
        .with::<ReplicaSet>()
        .with::<Deployment>()
        .with::<Service>()
        .with::<ConfigMap>()
        .with::<Secret>()
        .in_namespace(namespace.to_owned())
}

/// Applies the manifest once, and says what was done. Returns whether it is worth trying again.
async fn apply(name: &str, objects: &[Arc<dyn AnyObject>], applier: &Applier, voice: &Voice) -> bool {
    match applier.apply(objects).await {
        Ok(applied) => {
            for change in applied {
                voice.say(&change.to_string());
            }
            false
        }
        Err(error) if error.is_transient() => {
            tracing::debug!(%error, "the manifest is applied again");
            true
        }
        Err(error) => {
            voice.say(&format!("{name}: {error}\nerror: {name} is not applied wholly; mend it and save it again"));
            false
        }
    }
}
