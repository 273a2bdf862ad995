//! A process that writes is killed, again and again, at a random moment; each time its store is opened and must hold
//! everything that the process was told is written.
//!
//! This program is its own child: with a folder in its environment it opens the store there, writes, and prints what was
//! acknowledged, until it is killed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use orch_core::entropy::{Entropy as _, SeededEntropy};
use orch_core::key::{Key, Prefix};
use orch_core::kind::Object as _;
use orch_core::object::Lease;
use orch_core::revision::Revision;
use orch_core::store::{Compact, Expect, ListOptions, Store, StoreExt as _, Transact, Value, Write};
use orch_store::embedded::{BufferedStore, EmbeddedStore, EmbeddedStoreConfig};

const FOLDER: &str = "ORCH_STORE_KILL_FOLDER";
const BUFFERED: &str = "ORCH_STORE_KILL_BUFFERED";
const WRITERS: usize = 6;
const ROUNDS: usize = 200;
const BUFFERED_ROUNDS: usize = 50;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the operating system gives a runtime");
    let Some(folder) = std::env::var_os(FOLDER) else {
        runtime.block_on(kill_again_and_again());
        return;
    };
    let config = config(Path::new(&folder));
    if std::env::var_os(BUFFERED).is_some() {
        runtime.block_on(async { write(BufferedStore::open(config).await.expect("the folder is free")).await });
    } else {
        runtime.block_on(async { write(EmbeddedStore::open(config).await.expect("the folder is free")).await });
    }
}

/// A checkpoint every few writes.
fn config(folder: &Path) -> EmbeddedStoreConfig {
    EmbeddedStoreConfig { checkpoint_after: 10_000, ..EmbeddedStoreConfig::new(folder) }
}

/// Several at once count up, each an object of its own or two in one transaction, until this process is killed.
async fn write(store: impl Transact + Compact) {
    let store = Arc::new(store);
    futures::future::join_all((0..WRITERS).map(|writer| count(Arc::clone(&store), writer))).await;
}

async fn count(store: Arc<impl Transact + Compact>, writer: usize) {
    let keys = keys(writer);
    for _ in 0.. {
        let mut writes = Vec::new();
        let mut number = 0;
        for key in &keys {
            let found = store.get(key).await.expect("the store is open");
            let lease = store.get_as::<Lease>(key).await.expect("what was written can be read");
            number = lease.map_or(0, |lease| read_number(&lease)) + 1;
            let expect = found.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
            writes.push(Write::Put { key: key.clone(), value: Value::new(lease_of(number)), expect });
        }
        let revision = store.commit(&[], writes).await.expect("nobody else writes these");
        // One write call, so that no line is torn.
        let line = format!("{writer} {number} {revision}\n");
        std::io::stdout().write_all(line.as_bytes()).expect("the parent reads");
        if number % 50 == 0 {
            store.compact(Revision(revision.0.saturating_sub(100))).await.expect("it was reached");
        }
    }
}

/// What a writer counts in: one object, or two that must always agree.
fn keys(writer: usize) -> Vec<Key> {
    let names = if writer.is_multiple_of(2) { vec!["only"] } else { vec!["left", "right"] };
    let key = |name| Key::new(&Lease::KIND, Some(&format!("writer-{writer}")), name).expect("a valid key");
    names.into_iter().map(key).collect()
}

fn lease_of(number: u64) -> Lease {
    let mut lease = Lease::default();
    lease.spec.holder_identity = Some(number.to_string());
    lease
}

fn read_number(lease: &Lease) -> u64 {
    lease.spec.holder_identity.as_ref().and_then(|text| text.parse().ok()).expect("a number was written")
}

/// What the parent was told of one writer: the last number and its revision.
type Told = BTreeMap<usize, (u64, Revision)>;

async fn kill_again_and_again() {
    let entropy = SeededEntropy::from_os();
    for (name, rounds) in [("EmbeddedStore", ROUNDS), ("BufferedStore", BUFFERED_ROUNDS)] {
        let folder = Folder::new(name);
        let mut told = Told::new();
        let mut acknowledged = 0;
        for round in 0..rounds {
            let pause = Duration::from_micros(entropy.next_u64() % 25_000);
            acknowledged += run_and_kill(&folder.0, name, pause, &mut told).await;
            if name == "EmbeddedStore" {
                let store = EmbeddedStore::open(config(&folder.0)).await;
                let store = store.unwrap_or_else(|error| panic!("{name}, round {round}: {error}"));
                check(&store, &mut told, round).await;
                store.close().await;
            } else {
                let store = BufferedStore::open(config(&folder.0)).await;
                let store = store.unwrap_or_else(|error| panic!("{name}, round {round}: {error}"));
                check(&store, &mut told, round).await;
                store.close().await;
            }
        }
        println!("{name}: {rounds} times killed, {acknowledged} writes acknowledged, none lost");
        assert!(acknowledged > rounds, "{name} was killed before it wrote anything");
    }
}

/// Runs a child, lets it write for a while, kills it, and reads what it was told. Returns how much that was.
async fn run_and_kill(folder: &Path, name: &str, pause: Duration, told: &mut Told) -> usize {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.env(FOLDER, folder).stdout(Stdio::piped());
    if name == "BufferedStore" {
        command.env(BUFFERED, "yes");
    }
    let mut child = command.spawn().expect("this program can be started");
    let mut output = BufReader::new(child.stdout.take().expect("it was piped"));
    let mut first = String::new();
    // One in four may be killed while it opens the store.
    if !pause.as_micros().is_multiple_of(4) {
        output.read_line(&mut first).expect("the child writes text");
    }
    tokio::time::sleep(pause).await;
    child.kill().expect("it runs until it is killed");
    child.wait().expect("it was killed");
    let lines = output.lines().map(|line| line.expect("the child writes text"));
    let mut count = 0;
    let first = Some(first.trim_end().to_owned()).filter(|first| !first.is_empty());
    for line in first.into_iter().chain(lines) {
        let numbers: Vec<u64> = line.split(' ').map(|part| part.parse().expect("a number")).collect();
        let [writer, number, revision] = numbers[..] else { panic!("the child wrote {line:?}") };
        told.insert(usize::try_from(writer).expect("a small number"), (number, Revision(revision)));
        count += 1;
    }
    count
}

/// That everything which was told is there, or what the same writer was about to be told.
async fn check(store: &impl Store, told: &mut Told, round: usize) {
    let revision = store.list(&Prefix::all(), ListOptions::default()).await.expect("a listing").revision;
    for (writer, (number, told_revision)) in told {
        assert!(
            revision >= *told_revision,
            "round {round}: {told_revision} was acknowledged, the store is at {revision}"
        );
        let mut found = Vec::new();
        for key in keys(*writer) {
            let entry = store.get(&key).await.expect("the store is open");
            let entry = entry.unwrap_or_else(|| panic!("round {round}: {key} is lost"));
            found.push((read_number(&entry.decode().expect("what was written can be read")), entry.revision));
        }
        found.dedup();
        let [(found, at)] = found[..] else { panic!("round {round}: half a transaction: {found:?}") };
        let is_told = found == *number && at == *told_revision;
        let is_next = found == *number + 1 && at > *told_revision;
        assert!(
            is_told || is_next,
            "round {round}: writer {writer} was told {number} at {told_revision}, found {found} at {at}"
        );
        (*number, *told_revision) = (found, at);
    }
}

/// A folder that goes when this does.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("orch-store-kill-{}-{name}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Best effort: what is left is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
