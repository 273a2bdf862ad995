//! [`Collector`]: removes sandboxes that nobody will look at any more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use orch_core::clock::{Clock, Timestamp};

/// For how long sandboxes are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GcSetting {
    /// At most so long, on an empty disk: `--gc_delay`.
    pub delay: Duration,
    /// The part of the disk that is to be free: `--gc_disk_headroom`.
    pub headroom: f64,
    /// How often the disk is looked at: `--disk_watch_interval`.
    pub interval: Duration,
}

impl Default for GcSetting {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { delay: DAY * 7, headroom: 0.1, interval: Duration::from_secs(60) }
    }
}

/// For how long a sandbox is kept when such a part of the disk is used.
#[must_use]
pub fn kept_for(setting: &GcSetting, used: f64) -> Duration {
    let part = (1.0 - setting.headroom - used).clamp(0.0, 1.0);
    // It cannot be longer than the delay.
    if part.is_nan() { setting.delay } else { setting.delay.mul_f64(part) }
}

/// Those of the sandboxes, each with when it was used for the last time, that are to go now.
#[must_use]
pub fn due(unused: &BTreeMap<PathBuf, Timestamp>, now: Timestamp, kept_for: Duration) -> Vec<PathBuf> {
    let is_due = |since: &Timestamp| {
        let age = Duration::try_from(now.duration_since(*since)).unwrap_or_default();
        age >= kept_for
    };
    unused.iter().filter(|(_, since)| is_due(since)).map(|(path, _)| path.clone()).collect()
}

/// Removes sandboxes that nobody will look at any more: a week after they were used, and sooner as the disk fills.
#[derive(Debug)]
pub struct Collector {
    setting: GcSetting,
    /// Everything that it removes is below.
    root: PathBuf,
    clock: Arc<dyn Clock>,
    unused: Mutex<BTreeMap<PathBuf, Timestamp>>,
}

impl Collector {
    /// Of sandboxes below a folder.
    #[must_use]
    pub fn new(setting: GcSetting, root: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { setting, root, clock, unused: Mutex::default() }
    }

    /// A sandbox was used for the last time, now or then. What is not below the folder is left alone.
    pub fn unused(&self, sandbox: PathBuf, since: Option<Timestamp>) {
        if sandbox.starts_with(&self.root) && sandbox != self.root {
            self.lock().insert(sandbox, since.unwrap_or_else(|| self.clock.now()));
        }
    }

    /// Finds the sandboxes that an earlier agent left, at `S0/frameworks/F/executors/E/runs/UUID`: all but those that are
    /// used are unused since they were written to for the last time.
    ///
    /// # Errors
    /// What the operating system says if not all can be found.
    pub fn find(&self, used: &BTreeSet<PathBuf>) -> io::Result<()> {
        const DEPTH: u32 = 7;
        let mut folders = vec![(0, self.root.clone())];
        while let Some((depth, folder)) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let (path, depth) = (entry.path(), depth + 1);
                if !entry.file_type()?.is_dir() {
                    continue;
                }
                if depth < DEPTH {
                    folders.push((depth, path));
                } else if !used.contains(&path) {
                    let since = Timestamp::try_from(entry.metadata()?.modified()?).map_err(io::Error::other)?;
                    self.unused(path, Some(since));
                }
            }
        }
        Ok(())
    }

    /// A sandbox is used again.
    pub fn used(&self, sandbox: &Path) {
        self.lock().remove(sandbox);
    }

    /// Removes what is to go, when such a part of the disk is used. Returns what it removed.
    pub fn collect(&self, used: f64) -> Vec<PathBuf> {
        let mut removed = Vec::new();
        let due = due(&self.lock(), self.clock.now(), kept_for(&self.setting, used));
        for sandbox in due {
            // Somebody may use it again meanwhile.
            if self.lock().remove(&sandbox).is_none() {
                continue;
            }
            match remove(&sandbox, &self.root) {
                Ok(()) => removed.push(sandbox),
                Err(error) => {
                    tracing::warn!(%error, "the sandbox {} cannot be removed yet", sandbox.display());
                    self.lock().insert(sandbox, self.clock.now());
                }
            }
        }
        removed
    }

    /// Looks at the disk again and again, and removes what is to go.
    pub async fn run(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.setting.interval).await;
            let collector = Arc::clone(&self);
            let collected = tokio::task::spawn_blocking(move || match used(&collector.root) {
                Ok(used) => collector.collect(used).len(),
                Err(error) => {
                    tracing::warn!(%error, "it is not known how full {} is", collector.root.display());
                    0
                }
            });
            match collected.await {
                Ok(0) => {}
                Ok(count) => tracing::info!("{count} old sandboxes were removed"),
                Err(error) => tracing::warn!(%error, "old sandboxes were not removed"),
            }
        }
    }

    /// A panic while the lock is held leaves nothing half done: every critical section is one step.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Timestamp>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of a disk that is used, as those see it who are not root.
fn used(path: &Path) -> io::Result<f64> {
    let disk = statvfs(path)?;
    let (blocks, free) = (disk.blocks(), disk.blocks_available());
    #[allow(clippy::cast_precision_loss, reason = "a part is all that is wanted")]
    Ok(if blocks == 0 { 0.0 } else { 1.0 - free as f64 / blocks as f64 })
}

/// Removes a sandbox, and the folders above it that are left with nothing in them but links to what is gone.
fn remove(sandbox: &Path, root: &Path) -> io::Result<()> {
    match fs::remove_dir_all(sandbox) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for folder in sandbox.ancestors().skip(1).take_while(|folder| folder.starts_with(root) && *folder != root) {
        let latest = folder.join("latest");
        if latest.is_symlink() && !latest.exists() {
            fs::remove_file(latest)?;
        }
        // One that is not empty stays, and all above it.
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::scratch::Scratch;

    /// A clock that stands until it is moved.
    #[derive(Debug, Default)]
    struct Hand(Mutex<Timestamp>);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            *self.0.lock().expect("no panic")
        }
    }

    impl Hand {
        fn moves(&self, by: Duration) {
            *self.0.lock().expect("no panic") += by;
        }
    }

    const HOUR: Duration = Duration::from_secs(60 * 60);

    #[test]
    fn a_sandbox_is_kept_for_a_week_and_less_as_the_disk_fills() {
        let setting = GcSetting::default();
        for (used, hours) in [(0.0, 151.2), (0.4, 84.0), (0.9, 0.0), (1.0, 0.0)] {
            let kept = kept_for(&setting, used);
            assert!(kept.abs_diff(HOUR.mul_f64(hours)) < Duration::from_secs(1), "{used}: {kept:?}");
        }
    }

    #[test]
    fn what_is_old_goes_with_its_empty_folders_and_nothing_else_does() {
        let scratch = Scratch::new();
        let root = scratch.path().join("slaves");
        let run = |name: &str| root.join("S0/frameworks/F/executors").join(name);
        for name in ["a/runs/1", "a/runs/2", "b/runs/1"] {
            fs::create_dir_all(run(name).join("data")).expect("a sandbox");
        }
        std::os::unix::fs::symlink("1", run("b/runs/latest")).expect("a link");
        let outside = scratch.path().join("outside");
        fs::create_dir(&outside).expect("a folder");
        std::os::unix::fs::symlink(&outside, run("a/runs/1").join("link")).expect("a link");
        let hand = Arc::new(Hand::default());
        let collector = Collector::new(GcSetting::default(), root.clone(), Arc::clone(&hand) as _);
        collector.unused(run("a/runs/1"), None);
        collector.unused(run("b/runs/1"), None);
        collector.unused(outside.clone(), None);
        collector.unused(root.clone(), None);
        hand.moves(HOUR * 80);
        collector.unused(run("a/runs/2"), None);
        collector.used(&run("a/runs/2"));
        assert_eq!(collector.collect(0.3), Vec::<PathBuf>::new());
        hand.moves(HOUR * 5);
        assert_eq!(collector.collect(0.4), [run("a/runs/1"), run("b/runs/1")]);
        assert!(run("a/runs/2").exists() && !run("a/runs/1").exists() && !run("b").exists());
        assert!(outside.exists() && root.exists());
        hand.moves(HOUR * 1000);
        assert_eq!(collector.collect(1.0), Vec::<PathBuf>::new());

        fs::create_dir_all(run("runs/runs/1/runs/inner")).expect("a sandbox");
        let later = Arc::new(Hand(Mutex::new(Timestamp::MAX)));
        let collector = Collector::new(GcSetting::default(), root.clone(), later);
        collector.find(&[run("a/runs/2")].into()).expect("all can be found");
        assert_eq!(collector.collect(0.4), [run("runs/runs/1")]);
        assert!(run("a/runs/2").exists() && !run("runs").exists());
    }
}
