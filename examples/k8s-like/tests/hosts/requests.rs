//! [`Requests`]: somebody who never stops to ask.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use orch_testkit::daemon::Host;
use tokio::time::Instant;

use crate::clients::fetch_within;

/// So often a request is sent, whether those before it were answered or not.
const EVERY: Duration = Duration::from_millis(50);
/// Fewer in a second would not notice much.
const RATE_MIN: f64 = 10.0;
/// So long each waits for its answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Requests from one host to one address, twenty a second.
pub(crate) struct Requests {
    is_over: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
    answers: Arc<Mutex<Vec<Answer>>>,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// When it was sent.
    pub(crate) sent: Instant,
    /// The pod that answered, if one did.
    pub(crate) pod: Option<String>,
}

impl Requests {
    pub(crate) fn start(host: Arc<Host>, address: String) -> Self {
        let (is_over, answers) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Vec<Answer>>>::default());
        let (over, gathered) = (Arc::clone(&is_over), Arc::clone(&answers));
        let sender = std::thread::spawn(move || {
            let (mut waiting, mut next) = (Vec::new(), Instant::now());
            while !over.load(Ordering::Relaxed) {
                let (host, address, gathered) = (Arc::clone(&host), address.clone(), Arc::clone(&gathered));
                waiting.push(std::thread::spawn(move || {
                    let sent = Instant::now();
                    let pod = fetch_within(&host, &address, PATIENCE);
                    gathered.lock().expect("nobody panics").push(Answer { sent, pod });
                }));
                waiting.retain(|request| !request.is_finished());
                // What a busy machine delayed is made up for.
                next += EVERY;
                std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
            }
            waiting.into_iter().for_each(|request| request.join().expect("a request"));
        });
        Self { is_over, sender: Some(sender), answers }
    }

    /// Stops to ask, and returns all answers in the order of their questions.
    pub(crate) fn stop(mut self) -> Vec<Answer> {
        self.end();
        let mut answers = std::mem::take(&mut *self.answers.lock().expect("nobody panics"));
        answers.sort_by_key(|answer| answer.sent);
        let (Some(first), Some(last)) = (answers.first(), answers.last()) else { panic!("nobody asked") };
        let asked = last.sent - first.sent;
        let rate = answers.len() as f64 / asked.as_secs_f64();
        assert!(rate >= RATE_MIN, "{} requests in {asked:?}", answers.len());
        answers
    }

    fn end(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take() {
            sender.join().expect("requests");
        }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.end();
    }
}
