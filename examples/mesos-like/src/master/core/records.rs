//! How long it is remembered who is away or has ended.

use std::collections::BTreeSet;

use super::{Master, Output};
use crate::master::registry::RegistryChange;
use crate::wire::TimeInfo;

impl Master {
    /// Forgets agents that have been gone or unreachable, and frameworks that have ended, for too long; and the oldest where
    /// there are too many.
    pub(super) fn look_after_records(&mut self) {
        if self.next_look > self.now {
            return;
        }
        let records = self.settings.records;
        self.next_look = self.now.checked_add(records.interval).unwrap_or(self.now);
        let age = i64::try_from(records.age.as_nanos()).unwrap_or(i64::MAX);
        let oldest = self.time_info().nanoseconds.saturating_sub(age);
        let away = self.state.unreachable.iter().map(|(id, (_, since))| (id, since));
        for id in over(away, oldest, records.most) {
            self.state.unreachable.remove(&id);
            self.state.decided.remove(&id);
            self.say(Output::Record(RegistryChange::AgentForgotten(id)));
        }
        for id in over(self.state.gone.iter(), oldest, records.most) {
            self.state.gone.remove(&id);
            self.say(Output::Record(RegistryChange::AgentForgotten(id)));
        }
        for id in over(self.state.completed_ids.iter(), oldest, records.most) {
            self.state.completed_ids.remove(&id);
            self.say(Output::Record(RegistryChange::FrameworkForgotten(id)));
        }
    }
}

/// Those that are older than that, or of which there are so many younger ones.
fn over<'a>(all: impl Iterator<Item = (&'a String, &'a TimeInfo)>, oldest: i64, most: usize) -> Vec<String> {
    let by_age: BTreeSet<(i64, &String)> = all.map(|(id, since)| (since.nanoseconds, id)).collect();
    let too_many = by_age.len().saturating_sub(most);
    let is_over = |(place, (since, _)): &(usize, &(i64, &String))| *place < too_many || *since < oldest;
    by_age.iter().enumerate().filter(is_over).map(|(_, (_, id))| (*id).clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_oldest_are_forgotten_and_those_that_are_too_many() {
        let at = |nanoseconds| TimeInfo { nanoseconds };
        let all = BTreeMap::from([("a".to_owned(), at(5)), ("b".to_owned(), at(1)), ("c".to_owned(), at(9))]);
        assert_eq!(over(all.iter(), 0, 3), Vec::<String>::new());
        assert_eq!(over(all.iter(), 2, 3), ["b"]);
        assert_eq!(over(all.iter(), 0, 1), ["b", "a"]);
    }
}
