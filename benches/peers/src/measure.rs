//! Measuring what operations cost, and the sides of a comparison in turn.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// How often each side is measured.
pub const ROUNDS: usize = 7;

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
    let watch = Stopwatch::start(Others::Nobody);
    let kept = run();
    let cost = watch.stop(operations);
    drop(std::hint::black_box(kept));
    cost
}

/// Measures `operations` operations that `run` performs. What it returns is dropped after the measurement.
pub async fn cost_async<T>(operations: usize, run: impl Future<Output = T>) -> Cost {
    cost_with_server(None, operations, run).await
}

/// As [`cost_async`], with the processor time of another process, which does part of the work.
pub async fn cost_with_server<T>(server: Option<u32>, operations: usize, run: impl Future<Output = T>) -> Cost {
    let watch = Stopwatch::start(server.map_or(Others::Nobody, Others::Server));
    let kept = run.await;
    let cost = watch.stop(operations);
    drop(std::hint::black_box(kept));
    cost
}

/// As [`cost_async`], with the processor time of daemons, and of all programs that they or this process started and
/// waited for.
pub async fn cost_with_programs<T>(daemons: &[u32], operations: usize, run: impl Future<Output = T>) -> Cost {
    let watch = Stopwatch::start(Others::Programs(daemons));
    let kept = run.await;
    let cost = watch.stop(operations);
    drop(std::hint::black_box(kept));
    cost
}

/// As [`cost`], with the processor time of all programs that this process started, whether they have ended or not.
pub fn cost_with_children<T>(operations: usize, run: impl FnOnce() -> T) -> Cost {
    let watch = Stopwatch::start(Others::Children);
    let kept = run();
    let cost = watch.stop(operations);
    drop(std::hint::black_box(kept));
    cost
}

/// Runs a future on a runtime of one thread: on a shared machine two threads would measure the others' work.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Runs a future on a runtime with a thread for each core, where the point is that many do something at once.
pub fn block_on_all_cores<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// One side of a comparison, of which each round costs a `T`: one cost, or several.
pub struct Side<'a, T = Cost> {
    name: String,
    run: Box<dyn FnMut() -> T + 'a>,
}

impl<'a, T> Side<'a, T> {
    /// A side that is measured by `run`.
    pub fn new(name: impl Into<String>, run: impl FnMut() -> T + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// What a side cost, round by round.
pub struct Measured<T = Cost> {
    /// Of the side.
    pub name: String,
    /// The first of one side and the first of another were measured one after the other, and so on.
    pub costs: Vec<T>,
}

impl<T> Measured<T> {
    /// One of several costs.
    pub fn part(&self, part: impl Fn(&T) -> Cost) -> Measured {
        Measured { name: self.name.clone(), costs: self.costs.iter().map(part).collect() }
    }
}

/// Measures all sides in turn, after one round that does not count. Every other round goes backwards, so that nobody
/// always comes first.
pub fn in_turn<T, const N: usize>(sides: [Side<'_, T>; N]) -> [Measured<T>; N] {
    in_turn_within(Duration::MAX, sides)
}

/// As [`in_turn`], but begins no round once so much time has gone by. If that is after the one that does not count, it
/// does.
pub fn in_turn_within<T, const N: usize>(limit: Duration, mut sides: [Side<'_, T>; N]) -> [Measured<T>; N] {
    let start = Instant::now();
    let mut costs: [Vec<T>; N] = std::array::from_fn(|_| Vec::with_capacity(1 + ROUNDS));
    for (side, costs) in sides.iter_mut().zip(&mut costs) {
        costs.push((side.run)());
    }
    for round in 0..ROUNDS {
        if start.elapsed() >= limit {
            break;
        }
        let mut order: Vec<usize> = (0..N).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            costs[index].push((sides[index].run)());
        }
    }
    for costs in costs.iter_mut().filter(|costs| costs.len() > 1) {
        costs.remove(0);
    }
    let mut sides = sides.into_iter();
    costs.map(|costs| Measured { name: sides.next().expect("as many").name, costs })
}

/// Minimum, median and maximum.
pub fn spread(mut numbers: Vec<f64>) -> (f64, f64, f64) {
    numbers.sort_by(f64::total_cmp);
    (numbers[0], numbers[numbers.len() / 2], numbers[numbers.len() - 1])
}

struct Stopwatch<'a> {
    others: Others<'a>,
    wall: Instant,
    cpu: Duration,
}

/// Whose processor time counts beside this process's.
#[derive(Clone, Copy)]
enum Others<'a> {
    Nobody,
    Server(u32),
    /// These with all that was started and waited for.
    Programs(&'a [u32]),
    /// All that was started.
    Children,
}

impl<'a> Stopwatch<'a> {
    // What it takes to ask about others is not counted.
    fn start(others: Others<'a>) -> Self {
        let theirs = others.processor_time();
        let cpu = theirs + usage(UsageWho::RUSAGE_SELF);
        Self { others, cpu, wall: Instant::now() }
    }

    fn stop(self, operations: usize) -> Cost {
        let wall = self.wall.elapsed();
        let own = usage(UsageWho::RUSAGE_SELF);
        // Of what is told in hundredths of a second the sum may seem to go back.
        let cpu = (own + self.others.processor_time()).saturating_sub(self.cpu);
        let each = |time: Duration| time.as_nanos() as f64 / operations as f64;
        Cost { wall: each(wall), cpu: each(cpu) }
    }
}

impl Others<'_> {
    fn processor_time(self) -> Duration {
        match self {
            Self::Nobody => Duration::ZERO,
            Self::Server(server) => processor_time_of(server, false),
            Self::Programs(daemons) => {
                let daemons = daemons.iter().map(|daemon| processor_time_of(*daemon, true));
                usage(UsageWho::RUSAGE_CHILDREN) + daemons.sum::<Duration>()
            }
            Self::Children => usage(UsageWho::RUSAGE_CHILDREN) + processor_time_of_children(),
        }
    }
}

fn usage(of: UsageWho) -> Duration {
    let usage = getrusage(of).expect("the kernel tells a process its own usage");
    let part = |time: nix::sys::time::TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1_000);
    part(usage.user_time()) + part(usage.system_time())
}

/// Of another process, to a hundredth of a second: Linux counts it so in `/proc`.
fn processor_time_of(process: u32, with_children: bool) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the server runs");
    // The name, in brackets, may have spaces. After it, the 12th and 13th fields are user and system time; the two after
    // them are those of the children that it has waited for.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let wanted = if with_children { 11..15 } else { 11..13 };
    let ticks = fields[wanted].iter().map(|field| field.parse::<u64>().expect("a number of ticks"));
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// Of the programs that this process started and that still run.
fn processor_time_of_children() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("Linux").filter_map(Result::ok);
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers: Vec<String> =
        children.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    // In nanoseconds, the first of three numbers.
    let told = numbers.iter().filter_map(|child| fs::read_to_string(format!("/proc/{child}/schedstat")).ok());
    told.filter_map(|times| Some(Duration::from_nanos(times.split(' ').next()?.parse().ok()?))).sum()
}
