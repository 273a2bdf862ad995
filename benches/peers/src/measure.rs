//! Measuring in pairs: ours and the other, in turn, in one run.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// How often each pair is measured.
pub const PAIRS: usize = 7;

/// What a run cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Time on the wall for one operation, in nanoseconds.
    pub wall: f64,
    /// Processor time of the whole program for one operation, in nanoseconds.
    pub cpu: f64,
}

/// Measures `operations` operations that `run` performs.
pub fn cost(operations: usize, run: impl FnOnce()) -> Cost {
    let watch = Stopwatch::start();
    run();
    watch.stop(operations)
}

/// Measures `operations` operations that `run` performs.
pub async fn cost_async(operations: usize, run: impl Future<Output = ()>) -> Cost {
    let watch = Stopwatch::start();
    run.await;
    watch.stop(operations)
}

struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    fn start() -> Self {
        Self { cpu: processor_time(), wall: Instant::now() }
    }

    fn stop(self, operations: usize) -> Cost {
        let (wall, cpu) = (self.wall.elapsed(), processor_time() - self.cpu);
        let each = |time: Duration| time.as_nanos() as f64 / operations as f64;
        Cost { wall: each(wall), cpu: each(cpu) }
    }
}

fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the kernel tells a process its own usage");
    let part = |time: nix::sys::time::TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1_000);
    part(usage.user_time()) + part(usage.system_time())
}

/// A row of the table: what was done, ours, and what it is held against.
pub struct Row {
    what: String,
    ours: Vec<Cost>,
    peer: &'static str,
    theirs: Vec<Cost>,
}

impl Row {
    /// Measures ours and the peer in turn, after one round of each that does not count.
    pub fn pair(what: &str, peer: &'static str, mut ours: impl FnMut() -> Cost, mut theirs: impl FnMut() -> Cost) -> Self {
        (ours(), theirs());
        let rounds: Vec<(Cost, Cost)> = (0..PAIRS).map(|_| (ours(), theirs())).collect();
        let (ours, theirs) = rounds.into_iter().unzip();
        Self { what: what.to_owned(), ours, peer, theirs }
    }

    /// The row in Markdown.
    pub fn markdown(&self) -> String {
        let ratio = |part: fn(&Cost) -> f64| {
            let pairs = self.ours.iter().zip(&self.theirs);
            let (least, middle, most) = spread(pairs.map(|(ours, theirs)| part(theirs) / part(ours)).collect());
            format!("{middle:.2} ({least:.2}–{most:.2})")
        };
        let (wall, cpu) = (ratio(|cost| cost.wall), ratio(|cost| cost.cpu));
        let (ours, theirs) = (shown(&self.ours), shown(&self.theirs));
        format!("| {} | {ours} | {}: {theirs} | {wall} | {cpu} |", self.what, self.peer)
    }
}

/// Median of time on the wall, and operations a second.
fn shown(costs: &[Cost]) -> String {
    let nanoseconds = spread(costs.iter().map(|cost| cost.wall).collect()).1;
    let time = match nanoseconds {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.1} µs", n / 1e3),
        n => format!("{:.1} ms", n / 1e6),
    };
    let rate = match 1e9 / nanoseconds {
        r if r >= 1e6 => format!("{:.2}M/s", r / 1e6),
        r if r >= 1e3 => format!("{:.1}K/s", r / 1e3),
        r => format!("{r:.1}/s"),
    };
    format!("{time} ({rate})")
}

/// Minimum, median and maximum.
fn spread(mut numbers: Vec<f64>) -> (f64, f64, f64) {
    numbers.sort_by(f64::total_cmp);
    (numbers[0], numbers[numbers.len() / 2], numbers[numbers.len() - 1])
}
