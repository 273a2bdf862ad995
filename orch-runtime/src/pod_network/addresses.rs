//! [`Addresses`]: the [`Book`] of a runtime on the disk, where it outlives the runtime.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_core::clock::Clock;
use orch_core::runtime::{PodUid, RuntimeError};
use tokio::sync::OwnedMutexGuard;

use super::PodNetwork;
use super::book::{Book, NoneFree};
use crate::record_file::{self, Durability};

/// Who has which address. Whoever has this value is alone with it, among all tasks and processes that share the file, until
/// it is dropped.
#[derive(Debug)]
pub(crate) struct Addresses {
    path: PathBuf,
    network: PodNetwork,
    clock: Arc<dyn Clock>,
    book: Book,
    lock: File,
    _turn: OwnedMutexGuard<()>,
}

impl Addresses {
    /// Waits until no other process has it. The turn is that of this process: tasks that all waited for the file would take
    /// all threads that there are for waiting.
    pub(super) async fn take(
        path: PathBuf,
        network: PodNetwork,
        clock: Arc<dyn Clock>,
        turn: OwnedMutexGuard<()>,
    ) -> Result<Self, RuntimeError> {
        let shown = path.clone();
        let taken = tokio::task::spawn_blocking(move || {
            let lock = path.with_extension("lock");
            let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(lock)?;
            lock.lock()?;
            let book = read(&path)?;
            Ok(Self { path, network, clock, book, lock, _turn: turn })
        });
        let taken = taken.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        taken.map_err(|error| unavailable("cannot use", &shown, error))
    }

    /// The pod's address, which is one that nobody else has or had a short time ago.
    pub(crate) async fn give(&mut self, pod: &PodUid) -> Result<Ipv4Addr, RuntimeError> {
        let (pods, quarantine, now) = (self.network.pods(), self.network.quarantine(), self.clock.now());
        let mut book = self.book.clone();
        let given = book.give(pod, &pods, quarantine, now);
        self.write(book).await?;
        given.map_err(|none| exhausted(&self.network, &none))
    }

    /// The pod's address rests from now on.
    pub(crate) async fn give_back(&mut self, pod: &PodUid) -> Result<(), RuntimeError> {
        let mut book = self.book.clone();
        book.give_back(pod, self.clock.now());
        self.write(book).await
    }

    /// Takes over what is known otherwise: the pods that there are, each with its address as far as that is known.
    pub(crate) async fn settle(&mut self, pods: &BTreeMap<PodUid, Option<Ipv4Addr>>) -> Result<(), RuntimeError> {
        let mut book = self.book.clone();
        book.settle(pods, self.clock.now());
        if !self.path.exists() { self.write_always(book).await } else { self.write(book).await }
    }

    async fn write(&mut self, book: Book) -> Result<(), RuntimeError> {
        if book == self.book { Ok(()) } else { self.write_always(book).await }
    }

    async fn write_always(&mut self, book: Book) -> Result<(), RuntimeError> {
        let (path, written) = (self.path.clone(), book.clone());
        let result = tokio::task::spawn_blocking(move || record_file::write(&path, &written, Durability::Power)).await;
        let result = result.unwrap_or_else(|error| Err(io::Error::other(error)));
        result.map_err(|error| unavailable("cannot write", &self.path, error))?;
        self.book = book;
        Ok(())
    }
}

impl Drop for Addresses {
    /// Closing would do, unless another thread is just starting a program, which has all files for a moment.
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "cannot unlock {}", self.path.display());
        }
    }
}

/// A book that was never written is empty.
fn read(path: &Path) -> io::Result<Book> {
    let damaged = |what: &dyn std::fmt::Display| {
        let message = format!("{what}; pods keep their addresses, and only what rests may be given too soon");
        io::Error::new(io::ErrorKind::InvalidData, message)
    };
    let book: Book = match record_file::read(path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(damaged(&error)),
        result => result?.unwrap_or_default(),
    };
    match book.contradiction() {
        Some(what) => Err(damaged(&format_args!("it is damaged, move it away: {what}"))),
        None => Ok(book),
    }
}

fn exhausted(network: &PodNetwork, none: &NoneFree) -> RuntimeError {
    let (subnet, held, resting) = (network.subnet(), none.held, none.resting);
    let message = match none.next {
        None => format!("every address of {subnet} belongs to a pod: remove pods, or choose a larger subnet"),
        Some(next) => format!(
            "of the addresses of {subnet}, {held} belong to pods and {resting} rest after earlier pods, the first of them \
             until {next}: wait, or choose a larger subnet"
        ),
    };
    RuntimeError::Exhausted { what: "pod address", message }
}

fn unavailable(doing: &str, path: &Path, error: io::Error) -> RuntimeError {
    let transient = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let message = format!("{doing} the addresses of pods in {}: {error}", path.display());
    RuntimeError::Unavailable { message, transient, source: Some(Box::new(error)) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;
    use std::time::Duration;

    use orch_core::clock::Timestamp;

    use super::*;

    #[derive(Debug, Default)]
    struct Hand(Mutex<Timestamp>);

    impl Hand {
        fn wait(&self, time: Duration) {
            let mut now = self.0.lock().expect("nobody panics");
            *now = now.saturating_add(time).expect("a time");
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            *self.0.lock().expect("nobody panics")
        }
    }

    struct Place {
        folder: PathBuf,
        clock: Arc<Hand>,
    }

    impl Place {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("orch-addresses-{}-{name}", std::process::id()));
            fs::create_dir_all(&folder).expect("a folder");
            Self { folder, clock: Arc::default() }
        }

        async fn take(&self) -> Result<Addresses, RuntimeError> {
            let network = PodNetwork::new("b".parse().expect("a name"), "10.1.2.8/29".parse().expect("a range"));
            let network = network.expect("a network").with_quarantine(Duration::from_secs(60));
            // As another process would.
            let turn = Arc::<tokio::sync::Mutex<()>>::default().lock_owned().await;
            Addresses::take(self.folder.join("addresses.json"), network, self.clock.clone(), turn).await
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            // What cannot be removed is in a folder for temporary files.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    fn pod(number: u8) -> PodUid {
        format!("pod-{number}").parse().expect("a uid")
    }

    #[tokio::test]
    async fn addresses_and_their_rest_outlive_whoever_gave_them() {
        let place = Place::new("rest");
        for number in 0..5 {
            let mut addresses = place.take().await.expect("the book");
            let given = addresses.give(&pod(number)).await.expect("one is free");
            assert_eq!(given.to_string(), format!("10.1.2.{}", 10 + number));
        }
        let again = place.take().await.expect("the book").give(&pod(2)).await.expect("it has one");
        assert_eq!(again.to_string(), "10.1.2.12", "a pod keeps its own");
        place.take().await.expect("the book").give_back(&pod(2)).await.expect("given back");
        place.clock.wait(Duration::from_secs(59));
        let refused = place.take().await.expect("the book").give(&pod(7)).await.expect_err("it rests");
        assert!(matches!(refused, RuntimeError::Exhausted { .. }) && refused.is_transient());
        let told = refused.to_string();
        assert!(told.contains("4 belong to pods and 1 rest") && told.contains("until 1970-01-01T00:01:00Z"), "{told}");
        place.clock.wait(Duration::from_secs(1));
        let given = place.take().await.expect("the book").give(&pod(7)).await.expect("it has rested");
        assert_eq!(given.to_string(), "10.1.2.12");
        let refused = place.take().await.expect("the book").give(&pod(8)).await.expect_err("all are held");
        assert!(refused.to_string().contains("every address of 10.1.2.8/29 belongs to a pod"), "{refused}");
    }

    #[tokio::test]
    async fn a_damaged_book_is_told_with_its_path_and_not_guessed_at() {
        let place = Place::new("damaged");
        let path = place.folder.join("addresses.json");
        let twice = r#"{"pods":{"a":"10.1.2.10","b":"10.1.2.10"},"resting":{},"last":null}"#;
        for text in ["", "{", "[]", r#"{"pods":{},"resting":{},"last":null}x"#, twice] {
            fs::write(&path, text).expect("written");
            let error = place.take().await.expect_err("it is damaged");
            assert!(!error.is_transient(), "{error:?}");
            let told = error.to_string();
            assert!(told.contains(&path.display().to_string()) && told.contains("move it away"), "{told}");
        }
    }

    #[tokio::test]
    async fn what_a_crash_left_half_written_does_no_harm() {
        let place = Place::new("crash");
        let given = place.take().await.expect("the book").give(&pod(0)).await.expect("one is free");
        fs::write(place.folder.join("addresses.new"), "{").expect("written");
        assert_eq!(place.take().await.expect("the book").give(&pod(0)).await.expect("its own"), given);
    }

    #[tokio::test]
    async fn one_at_a_time_changes_the_book() {
        let place = Arc::new(Place::new("many"));
        let give = |number| {
            let place = Arc::clone(&place);
            tokio::spawn(async move { place.take().await?.give(&pod(number)).await })
        };
        let given = futures::future::join_all((0..5).map(give)).await;
        let given: std::collections::BTreeSet<Ipv4Addr> =
            given.into_iter().map(|given| given.expect("no panic").expect("one is free")).collect();
        assert_eq!(given.len(), 5, "no address is given twice");
    }
}
