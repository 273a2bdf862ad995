//! HTTP as masters, agents, executors and frameworks use it: answers, streams of records, and a client that follows the
//! leading master.

mod answer;
mod client;
mod forward;
mod media;
mod query;
mod server;
mod stream;

pub use answer::{Answer, AnswerBody, Refusal, empty, json, read_body, refused, text, whole};
pub use client::{Client, ClientError, Stream};
pub use forward::Forwarder;
pub use media::{accepted, read_call};
pub use query::{Query, decoded};
pub use server::{Handler, Server};
pub use stream::{Outbox, STREAM_ID, SlowReader, streamed, subscription};
