//! [`Checkpoint`]: the folder in which an agent writes down what it is to know when it is started again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::record::{AgentRecord, ExecutorRecord};
use crate::wire::{MediaType, Message};

/// The folder in which an agent writes down what it is to know when it is started again. Each record is written beside its
/// place, synced and renamed: it is there in full or not at all.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    folder: PathBuf,
}

/// Why something is not written, or not to be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The disk's.
    #[error("{}: {error}", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// It is no record.
    #[error("{} is damaged ({reason}): remove it, and what it tells of is lost, or start with --recover=cleanup", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Checkpoint {
    /// The folder below an agent's `work_dir`; it is made if it is not there.
    ///
    /// # Errors
    /// [`CheckpointError`] if it cannot be.
    pub fn open(work_dir: &Path) -> Result<Self, CheckpointError> {
        let folder = work_dir.join("meta");
        let executors = folder.join("executors");
        fs::create_dir_all(&executors).map_err(|error| CheckpointError::Disk { path: executors, error })?;
        Ok(Self { folder })
    }

    /// Who the agent is, if that was written down.
    ///
    /// # Errors
    /// [`CheckpointError`]
    pub fn agent(&self) -> Result<Option<AgentRecord>, CheckpointError> {
        read(&self.agent_path())
    }

    /// Writes down who the agent is.
    ///
    /// # Errors
    /// [`CheckpointError`]; what was written down before is still there.
    pub fn write_agent(&self, record: &AgentRecord) -> Result<(), CheckpointError> {
        write(&self.agent_path(), record)
    }

    /// All executors that were written down.
    ///
    /// # Errors
    /// [`CheckpointError`]
    pub fn executors(&self) -> Result<Vec<ExecutorRecord>, CheckpointError> {
        let folder = self.folder.join("executors");
        let disk = |error| CheckpointError::Disk { path: folder.clone(), error };
        let mut all = Vec::new();
        for entry in fs::read_dir(&folder).map_err(disk)? {
            let path = entry.map_err(disk)?.path();
            match path.extension().is_some_and(|extension| extension == "new") {
                // It was being written when the agent was killed: what it was to replace is still there.
                true => fs::remove_file(&path).map_err(disk)?,
                false => all.extend(read(&path)?),
            }
        }
        Ok(all)
    }

    /// Writes down an executor.
    ///
    /// # Errors
    /// [`CheckpointError`]; what was written down before is still there.
    pub fn write_executor(&self, record: &ExecutorRecord) -> Result<(), CheckpointError> {
        write(&self.executor_path(&record.container_id), record)
    }

    /// Forgets an executor, by its container.
    ///
    /// # Errors
    /// [`CheckpointError`]
    pub fn forget_executor(&self, container_id: &str) -> Result<(), CheckpointError> {
        let path = self.executor_path(container_id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CheckpointError::Disk { path, error }),
            _ => Ok(()),
        }
    }

    /// Forgets all: the agent is another one when it is started again.
    ///
    /// # Errors
    /// [`CheckpointError`]
    pub fn clear(&self) -> Result<(), CheckpointError> {
        let disk = |error| CheckpointError::Disk { path: self.folder.clone(), error };
        fs::remove_dir_all(&self.folder).map_err(disk)?;
        fs::create_dir_all(self.folder.join("executors")).map_err(disk)
    }

    fn agent_path(&self) -> PathBuf {
        self.folder.join("agent")
    }

    /// A name that the id cannot lead out of the folder by.
    fn executor_path(&self, container_id: &str) -> PathBuf {
        let digest = Sha256::digest(container_id.as_bytes());
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.folder.join("executors").join(name)
    }
}

fn read<T: Message>(path: &Path) -> Result<Option<T>, CheckpointError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CheckpointError::Disk { path: path.to_owned(), error }),
        Ok(bytes) => MediaType::Protobuf
            .decode(&bytes, "record")
            .map(Some)
            .map_err(|error| CheckpointError::Damaged { path: path.to_owned(), reason: error.to_string() }),
    }
}

fn write<T: Message>(path: &Path, record: &T) -> Result<(), CheckpointError> {
    let beside = path.with_extension("new");
    let written = || {
        let mut file = File::create(&beside)?;
        file.write_all(&record.encode_to_vec())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    written().map_err(|error| CheckpointError::Disk { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::scratch::Scratch;

    fn executor(container_id: &str) -> ExecutorRecord {
        ExecutorRecord { container_id: container_id.to_owned(), ..ExecutorRecord::default() }
    }

    #[test]
    fn what_is_written_is_there_again_and_half_a_record_is_none() {
        let scratch = Scratch::new();
        let checkpoint = Checkpoint::open(scratch.path()).unwrap();
        assert!(checkpoint.agent().unwrap().is_none() && checkpoint.executors().unwrap().is_empty());
        checkpoint.write_executor(&executor("../a")).unwrap();
        checkpoint.write_executor(&executor("b")).unwrap();
        checkpoint.forget_executor("b").unwrap();
        let folder = scratch.path().join("meta/executors");
        fs::write(folder.join("x.new"), b"half").unwrap();
        let again = Checkpoint::open(scratch.path()).unwrap();
        assert_eq!(again.executors().unwrap(), [executor("../a")]);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_record_is_named() {
        let scratch = Scratch::new();
        let checkpoint = Checkpoint::open(scratch.path()).unwrap();
        fs::write(scratch.path().join("meta/agent"), b"\xff\xff").unwrap();
        let error = checkpoint.agent().unwrap_err().to_string();
        assert!(error.contains("meta/agent is damaged"), "{error}");
    }
}
