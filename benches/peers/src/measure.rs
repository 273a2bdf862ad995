//! Measuring in pairs: ours and the other, in turn, in one run.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// How often each pair is measured.
pub const PAIRS: usize = 7;

/// What one operation cost, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Time on the wall.
    pub wall: f64,
    /// Processor time of the whole program, the kernel's work for it included.
    pub cpu: f64,
}

/// Measures `operations` operations that `run` performs. What it returns is dropped after the measurement.
pub fn cost<T>(operations: usize, run: impl FnOnce() -> T) -> Cost {
    let watch = Stopwatch::start();
    let kept = run();
    let cost = watch.stop(operations);
    drop(std::hint::black_box(kept));
    cost
}

/// Measures `operations` operations that `run` performs. What it returns is dropped after the measurement.
pub async fn cost_async<T>(operations: usize, run: impl Future<Output = T>) -> Cost {
    let watch = Stopwatch::start();
    let kept = run.await;
    let cost = watch.stop(operations);
    drop(std::hint::black_box(kept));
    cost
}

/// Runs a future on a runtime of one thread: on a shared machine two threads would measure the others' work.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
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
    remark: String,
}

impl Row {
    /// The head of the table.
    pub const HEAD: &str = "\
| what | ours, per operation | held against, per operation | our speed ÷ the other’s, wall | the same, processor time |
|---|---|---|---|---|";

    /// Measures ours and the peer in turn, after one round of each that does not count. Who begins alternates.
    pub fn pair(
        what: impl Into<String>,
        peer: &'static str,
        mut ours: impl FnMut() -> Cost,
        mut theirs: impl FnMut() -> Cost,
    ) -> Self {
        (ours(), theirs());
        let mut row = Self { what: what.into(), ours: Vec::new(), peer, theirs: Vec::new(), remark: String::new() };
        for round in 0..PAIRS {
            if round % 2 == 0 {
                row.ours.push(ours());
                row.theirs.push(theirs());
            } else {
                row.theirs.push(theirs());
                row.ours.push(ours());
            }
        }
        row
    }

    /// Adds a remark about our median of operations a second.
    pub fn remark(mut self, remark: impl FnOnce(f64) -> String) -> Self {
        self.remark = format!("; {}", remark(1e9 / wall(&self.ours)));
        self
    }

    /// The row in Markdown.
    pub fn markdown(&self) -> String {
        let ratio = |part: fn(&Cost) -> f64| {
            let pairs = self.ours.iter().zip(&self.theirs);
            let (least, middle, most) = spread(pairs.map(|(ours, theirs)| part(theirs) / part(ours)).collect());
            format!("{} ({}–{})", factor(middle), factor(least), factor(most))
        };
        let (wall, cpu) = (ratio(|cost| cost.wall), ratio(|cost| cost.cpu));
        let (ours, theirs) = (shown(&self.ours), shown(&self.theirs));
        format!("| {} | {ours}{} | {}: {theirs} | {wall} | {cpu} |", self.what, self.remark, self.peer)
    }
}

/// The median of time on the wall.
fn wall(costs: &[Cost]) -> f64 {
    spread(costs.iter().map(|cost| cost.wall).collect()).1
}

/// Median of time on the wall, and operations a second.
fn shown(costs: &[Cost]) -> String {
    let nanoseconds = wall(costs);
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

/// A factor, small ones as fractions.
fn factor(factor: f64) -> String {
    if factor < 0.1 { format!("1/{:.0}", 1.0 / factor) } else { format!("{factor:.2}") }
}

/// Minimum, median and maximum.
fn spread(mut numbers: Vec<f64>) -> (f64, f64, f64) {
    numbers.sort_by(f64::total_cmp);
    (numbers[0], numbers[numbers.len() / 2], numbers[numbers.len() - 1])
}
