//! How what was given to somebody rests, before it is given to somebody else.

use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::object::{ObjectMeta, Time};

/// The annotation of an allocation that says since when nobody has what it stands for. It is in the store, so that a
/// restart makes the rest no shorter and no longer.
pub(crate) const UNUSED_SINCE: &str = "orch.dev/unused-since";

/// Whether nobody has it, as far as is written down.
pub(crate) fn is_unused(allocation: &ObjectMeta) -> bool {
    allocation.annotations.contains_key(UNUSED_SINCE)
}

/// Writes down that nobody has it, from now on.
pub(crate) fn begin(allocation: &mut ObjectMeta, now: Timestamp) {
    allocation.annotations.insert(UNUSED_SINCE.to_owned(), Time::from(now).to_string());
}

/// Somebody has it.
pub(crate) fn end(allocation: &mut ObjectMeta) {
    allocation.annotations.remove(UNUSED_SINCE);
}

/// How much of its rest is left. `None` where none was begun, or nobody can read when.
pub(crate) fn left(allocation: &ObjectMeta, rest: Duration, now: Timestamp) -> Option<Duration> {
    let since: Timestamp = allocation.annotations.get(UNUSED_SINCE)?.parse().ok()?;
    // A clock that was set back since must not make it longer than a whole rest.
    let rested = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    Some(rest.saturating_sub(rested))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_ends_after_its_time_and_a_clock_that_was_set_back_makes_it_a_whole_one_at_most() {
        let (mut metadata, rest) = (ObjectMeta::default(), Duration::from_secs(60));
        let at = |seconds| Timestamp::from_second(seconds).expect("a time");
        assert_eq!(left(&metadata, rest, at(100)), None);
        begin(&mut metadata, at(100));
        for (now, seconds) in [(100, 60), (130, 30), (160, 0), (900, 0), (10, 60)] {
            assert_eq!(left(&metadata, rest, at(now)), Some(Duration::from_secs(seconds)), "at {now}");
        }
        metadata.annotations.insert(UNUSED_SINCE.to_owned(), "yesterday".to_owned());
        assert_eq!((is_unused(&metadata), left(&metadata, rest, at(100))), (true, None));
        end(&mut metadata);
        assert!(!is_unused(&metadata));
    }
}
