//! What the fields of objects hold: names, texts, amounts, times, addresses.

use std::collections::BTreeMap;
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::*;
use orch_core::revision::Revision;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

/// A name that is a DNS label.
pub fn name() -> impl Strategy<Value = String> {
    "[a-z]([-a-z0-9]{0,8}[a-z0-9])?"
}

/// Labels, none to two of them.
pub fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    few_by_key(value())
}

/// An amount of a resource, never negative.
pub fn quantity() -> impl Strategy<Value = Quantity> {
    (0..1_000_i64, select(vec!["", "m", "k", "M", "Ki", "Mi", "Gi"]))
        .prop_map(|(number, suffix)| Quantity::parse(&format!("{number}{suffix}")).expect("a quantity"))
}

pub(super) fn few<T: std::fmt::Debug>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    vec(item, 0..3)
}

pub(super) fn few_by_key<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = BTreeMap<String, T>> {
    btree_map(key(), value, 0..3)
}

pub(super) fn quantities() -> impl Strategy<Value = BTreeMap<String, Quantity>> {
    let resource = select(vec!["cpu", "memory", "pods", "example.org/gpu"]).prop_map(str::to_owned);
    btree_map(resource, quantity(), 0..3)
}

pub(super) fn key() -> impl Strategy<Value = String> {
    "([a-z]{1,5}\\.org/)?[a-zA-Z]([-_.a-z0-9]{0,6}[a-z0-9])?"
}

pub(super) fn value() -> impl Strategy<Value = String> {
    "([a-zA-Z0-9]([-_.a-z0-9]{0,6}[a-z0-9])?)?"
}

pub(super) fn config_key() -> impl Strategy<Value = String> {
    "[-_a-zA-Z0-9][-._a-zA-Z0-9]{0,9}"
}

pub(super) fn bytes() -> impl Strategy<Value = ByteString> {
    vec(any::<u8>(), 0..9).prop_map(ByteString)
}

pub(super) fn word() -> impl Strategy<Value = String> {
    "[A-Z][A-Za-z]{0,9}"
}

/// Any text, so that escapes and letters beyond ASCII are covered.
pub(super) fn text() -> impl Strategy<Value = String> {
    any::<String>()
}

pub(super) fn address() -> impl Strategy<Value = String> {
    any::<std::net::IpAddr>().prop_map(|address| address.to_string())
}

pub(super) fn cidr() -> impl Strategy<Value = String> {
    (any::<std::net::Ipv4Addr>(), 0..=32).prop_map(|(address, length)| format!("{address}/{length}"))
}

pub(super) fn uid() -> impl Strategy<Value = Uid> {
    "[0-9a-f]{8}".prop_map(Uid::new)
}

pub(super) fn revision() -> impl Strategy<Value = Revision> {
    any::<u64>().prop_map(Revision)
}

/// Times from 1970 to 2096.
pub(super) fn time() -> impl Strategy<Value = Time> {
    (0..4_000_000_000_i64).prop_map(|second| Time::from(Timestamp::from_second(second).expect("in range")))
}

pub(super) fn micro_time() -> impl Strategy<Value = MicroTime> {
    (0..4_000_000_000_000_000_i64)
        .prop_map(|microsecond| MicroTime::from(Timestamp::from_microsecond(microsecond).expect("in range")))
}

/// Spans that Go can hold: up to 292 years.
pub(super) fn go_duration() -> impl Strategy<Value = GoDuration> {
    (0..=i64::MAX.unsigned_abs()).prop_map(|nanos| GoDuration(Duration::from_nanos(nanos)))
}

pub(super) fn int_or_string() -> impl Strategy<Value = IntOrString> {
    prop_oneof![
        any::<i32>().prop_map(IntOrString::Int),
        (0..=100).prop_map(|percent| IntOrString::String(format!("{percent}%"))),
        name().prop_map(IntOrString::String),
    ]
}

pub(super) fn number() -> impl Strategy<Value = i32> {
    0..=i32::MAX
}

pub(super) fn long() -> impl Strategy<Value = i64> {
    0..=i64::MAX
}

pub(super) fn port() -> impl Strategy<Value = i32> {
    1..=65_535
}

pub(super) fn protocol() -> impl Strategy<Value = Protocol> {
    select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp])
}

pub(super) fn condition_status() -> impl Strategy<Value = ConditionStatus> {
    select(vec![ConditionStatus::True, ConditionStatus::False, ConditionStatus::Unknown])
}

pub(super) fn effect() -> impl Strategy<Value = TaintEffect> {
    select(vec![TaintEffect::NoSchedule, TaintEffect::PreferNoSchedule, TaintEffect::NoExecute])
}

pub(super) fn traffic_policy() -> impl Strategy<Value = TrafficPolicy> {
    select(vec![TrafficPolicy::Cluster, TrafficPolicy::Local])
}
