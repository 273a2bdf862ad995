//! [`RawEtcd`]: etcd as directly as tonic allows, which an adapter is held against.
//!
//! It has nothing in common with this project's adapter but what goes over the wire: no reconnection, no resuming, no
//! errors, no deadlines. The messages are written by hand from etcd's `rpc.proto`, as far as they are used.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use http::uri::PathAndQuery;
use orch_core::key::{Key, Prefix};
use orch_core::revision::Revision;
use orch_core::store::{Expect, Value};
use prost::{Message, Oneof};
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

/// How many objects a page of a listing holds.
const PAGE: i64 = 10_000;

/// A connection to etcd. Clones share it.
#[derive(Clone, Debug)]
pub struct RawEtcd {
    grpc: Grpc<Channel>,
    prefix: String,
}

impl RawEtcd {
    pub async fn connect(endpoint: &str, prefix: &str) -> Self {
        let endpoint = Endpoint::from_shared(endpoint.to_owned()).expect("an address");
        // So that an answer of many pages' size comes without pauses.
        let endpoint = endpoint.initial_stream_window_size(4 << 20).initial_connection_window_size(32 << 20);
        let channel = endpoint.connect().await.expect("etcd answers");
        Self { grpc: Grpc::new(channel).max_decoding_message_size(usize::MAX), prefix: format!("/{prefix}/") }
    }

    pub async fn put(&self, key: &Key, value: Value, expect: Expect) -> Revision {
        let key = self.key(key.as_str());
        let mod_revision = match expect {
            Expect::Absent => 0,
            Expect::Revision(revision) => i64::try_from(revision.0).expect("etcd gave it"),
        };
        let compare = Compare { result: 0, target: 2, key: key.clone(), mod_revision: Some(mod_revision) };
        let is_new = expect == Expect::Absent;
        let value = value.encode().expect("it has a JSON form");
        let put = Operation::Put(PutRequest { key: key.clone(), value, ignore_lease: !is_new });
        // Who is refused is told what was found; who is not, when the object was created.
        let look = || Operation::Range(RangeRequest { key: key.clone(), keys_only: true, ..RangeRequest::default() });
        let success = if is_new { vec![put.into()] } else { vec![put.into(), look().into()] };
        let request = TxnRequest { compare: vec![compare], success, failure: vec![look().into()] };
        let answer: TxnResponse = self.call("/etcdserverpb.KV/Txn", request).await;
        assert!(answer.succeeded, "the object is as expected");
        revision(answer.header.expect("etcd always sends one").revision)
    }

    pub async fn get(&self, key: &Key) -> Option<KeyValue> {
        let request = RangeRequest { key: self.key(key.as_str()), ..RangeRequest::default() };
        let answer: RangeResponse = self.call("/etcdserverpb.KV/Range", request).await;
        answer.kvs.into_iter().next()
    }

    /// All pages, at the revision of the first.
    pub async fn list(&self, prefix: &Prefix) -> Vec<RangeResponse> {
        let (key, range_end) = self.range(prefix);
        let mut request = RangeRequest { key, range_end, limit: PAGE, ..RangeRequest::default() };
        let mut pages: Vec<RangeResponse> = Vec::new();
        loop {
            let page: RangeResponse = self.call("/etcdserverpb.KV/Range", request.clone()).await;
            if let Some(last) = page.kvs.last().filter(|_| page.more) {
                request.revision = page.header.expect("etcd always sends one").revision;
                request.key = [&last.key[..], b"\0"].concat().into();
                pages.push(page);
            } else {
                pages.push(page);
                return pages;
            }
        }
    }

    /// A watch of its own stream, which is there when this returns.
    pub async fn watch(&self, prefix: &Prefix) -> RawWatch {
        let (key, range_end) = self.range(prefix);
        let create = WatchRequest { create: Some(WatchCreateRequest { key, range_end, prev_kv: true }) };
        let mut grpc = self.grpc.clone();
        grpc.ready().await.expect("etcd answers");
        let requests = Request::new(stream::iter([create]).chain(stream::pending()));
        let path = PathAndQuery::from_static("/etcdserverpb.Watch/Watch");
        let answer = grpc.streaming(requests, path, ProstCodec::default()).await.expect("etcd takes a watch");
        let mut watch = answer.into_inner();
        let created: WatchResponse = watch.message().await.expect("a watch").expect("it has begun");
        assert!(created.created);
        RawWatch(watch)
    }

    async fn call<Q, A>(&self, path: &'static str, request: Q) -> A
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.expect("etcd answers");
        let codec: ProstCodec<Q, A> = ProstCodec::default();
        let answer = grpc.unary(Request::new(request), PathAndQuery::from_static(path), codec).await;
        answer.expect("etcd does what it is asked").into_inner()
    }

    fn key(&self, key: &str) -> Bytes {
        [self.prefix.as_bytes(), key.as_bytes()].concat().into()
    }

    /// A prefix ends with a slash: all keys under it are before the same with the next character, `0`.
    fn range(&self, prefix: &Prefix) -> (Bytes, Bytes) {
        let from = self.key(prefix.as_str());
        let to = [&from[..from.len() - 1], b"0"].concat();
        (from, to.into())
    }
}

/// Answers to a watch.
pub struct RawWatch(Streaming<WatchResponse>);

impl stream::Stream for RawWatch {
    type Item = Result<WatchResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

fn revision(revision: i64) -> Revision {
    Revision(u64::try_from(revision).expect("revisions of etcd are positive"))
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct ResponseHeader {
    #[prost(int64, tag = "3")]
    pub revision: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct KeyValue {
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    #[prost(int64, tag = "2")]
    pub create_revision: i64,
    #[prost(int64, tag = "3")]
    pub mod_revision: i64,
    #[prost(bytes = "bytes", tag = "5")]
    pub value: Bytes,
}

impl KeyValue {
    pub fn revision(&self) -> Revision {
        revision(self.mod_revision)
    }
}

#[derive(Clone, PartialEq, Message)]
struct RangeRequest {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    range_end: Bytes,
    #[prost(int64, tag = "3")]
    limit: i64,
    #[prost(int64, tag = "4")]
    revision: i64,
    #[prost(bool, tag = "8")]
    keys_only: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct RangeResponse {
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    #[prost(message, repeated, tag = "2")]
    pub kvs: Vec<KeyValue>,
    #[prost(bool, tag = "3")]
    pub more: bool,
}

#[derive(Clone, PartialEq, Message)]
struct PutRequest {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
    #[prost(bool, tag = "6")]
    ignore_lease: bool,
}

#[derive(Clone, PartialEq, Message)]
struct RequestOp {
    #[prost(oneof = "Operation", tags = "1, 2")]
    request: Option<Operation>,
}

impl From<Operation> for RequestOp {
    fn from(operation: Operation) -> Self {
        Self { request: Some(operation) }
    }
}

#[derive(Clone, PartialEq, Oneof)]
enum Operation {
    #[prost(message, tag = "1")]
    Range(RangeRequest),
    #[prost(message, tag = "2")]
    Put(PutRequest),
}

/// `target` 2 is the revision of the last write, `result` 0 that it is equal.
#[derive(Clone, PartialEq, Message)]
struct Compare {
    #[prost(int32, tag = "1")]
    result: i32,
    #[prost(int32, tag = "2")]
    target: i32,
    #[prost(bytes = "bytes", tag = "3")]
    key: Bytes,
    /// Optional, since 0 has to be sent.
    #[prost(int64, optional, tag = "6")]
    mod_revision: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct TxnRequest {
    #[prost(message, repeated, tag = "1")]
    compare: Vec<Compare>,
    #[prost(message, repeated, tag = "2")]
    success: Vec<RequestOp>,
    #[prost(message, repeated, tag = "3")]
    failure: Vec<RequestOp>,
}

#[derive(Clone, PartialEq, Message)]
struct TxnResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<ResponseHeader>,
    #[prost(bool, tag = "2")]
    succeeded: bool,
    #[prost(message, repeated, tag = "3")]
    responses: Vec<ResponseOp>,
}

#[derive(Clone, PartialEq, Message)]
struct ResponseOp {
    #[prost(message, optional, tag = "1")]
    range: Option<RangeResponse>,
}

#[derive(Clone, PartialEq, Message)]
struct WatchRequest {
    #[prost(message, optional, tag = "1")]
    create: Option<WatchCreateRequest>,
}

#[derive(Clone, PartialEq, Message)]
struct WatchCreateRequest {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    range_end: Bytes,
    #[prost(bool, tag = "6")]
    prev_kv: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct WatchResponse {
    #[prost(bool, tag = "3")]
    pub created: bool,
    #[prost(message, repeated, tag = "11")]
    pub events: Vec<Event>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Event {
    #[prost(message, optional, tag = "2")]
    pub kv: Option<KeyValue>,
    #[prost(message, optional, tag = "3")]
    pub prev_kv: Option<KeyValue>,
}
