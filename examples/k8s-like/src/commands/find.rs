//! [`Where`]: which cluster is meant.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::api::{ApiClient, ApiError};
use crate::layout::Layout;

/// Which cluster is meant.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Where {
    /// The state folder of the cluster.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The manifest that the cluster was started with, where no state folder was chosen. [default: the only cluster of
    /// this user that runs without one]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The namespace.
    #[arg(short, long, default_value = "default")]
    pub(crate) namespace: String,
}

impl Where {
    /// The cluster.
    pub(crate) fn cluster(&self) -> Result<ApiClient, ApiError> {
        let folder = match (&self.state_dir, &self.file) {
            (Some(folder), _) => std::path::absolute(folder).unwrap_or_else(|_| folder.clone()),
            (None, Some(file)) => Layout::default_state_dir(file),
            (None, None) => only_one()?,
        };
        Ok(ApiClient::new(Layout::new(folder).socket()))
    }
}

/// The state folder of the only cluster of this user that runs without a chosen one.
fn only_one() -> Result<PathBuf, ApiError> {
    let user = format!("k8s-like-{}-", nix::unistd::Uid::current());
    let answers = |folder: &Path| UnixStream::connect(Layout::new(folder.to_owned()).socket()).is_ok();
    let folders = std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    let ours = folders.filter(|entry| entry.file_name().to_string_lossy().starts_with(&user));
    let found: Vec<PathBuf> = ours.map(|entry| entry.path()).filter(|folder| answers(folder)).collect();
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => Err(ApiError(
            "no cluster runs: start one with `k8s-like up -f FILE`, or name its folder with --state-dir".to_owned(),
        )),
        several => Err(ApiError(format!("{} clusters run: choose one with -f FILE or --state-dir DIR", several.len()))),
    }
}
