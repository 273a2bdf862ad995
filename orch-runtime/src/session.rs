//! Input of sessions with running programs.

use futures::channel::mpsc;
use futures::{SinkExt as _, sink};
use orch_core::runtime::{Input, InputSink};

/// How many pieces of input wait for the program at most; the next waits with whoever sends it.
const WAITING: usize = 8;

/// Where input goes, and where it comes from. What is sent after the receiver is gone is accepted and dropped, as
/// [`Session::input`](orch_core::runtime::Session::input) says.
pub(crate) fn input() -> (InputSink, mpsc::Receiver<Input>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let sink = sink::unfold(sender, |mut sender, input| async move {
        // An error says that the program has ended.
        let _ = sender.send(input).await;
        Ok(sender)
    });
    (Box::pin(sink), receiver)
}
