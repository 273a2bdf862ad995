//! [`Places`]: where a node's offers stand.

/// Where a node's offers stand, the oldest first. The first is kept apart, with the node: where offers are exclusive few
/// nodes have more, and to fetch a list from elsewhere takes longer than all else that a round does for a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// None only if there are no others.
    first: Option<u32>,
    others: Vec<u32>,
}

impl Places {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn first(&self) -> Option<u32> {
        self.first
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    pub(crate) fn push(&mut self, place: u32) {
        match self.first {
            None => self.first = Some(place),
            Some(_) => self.others.push(place),
        }
    }

    pub(crate) fn remove(&mut self, place: u32) {
        if self.first != Some(place) {
            self.others.retain(|other| *other != place);
        } else if self.others.is_empty() {
            self.first = None;
        } else {
            self.first = Some(self.others.remove(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn places_are_as_a_plain_list_would_be(steps in prop::collection::vec((0_u32..6, any::<bool>()), 0..40)) {
            let (mut places, mut list) = (Places::default(), Vec::new());
            for (place, comes) in steps {
                if comes && !list.contains(&place) {
                    places.push(place);
                    list.push(place);
                } else {
                    places.remove(place);
                    list.retain(|other| *other != place);
                }
                prop_assert_eq!(places.iter().collect::<Vec<_>>(), list.clone());
                prop_assert_eq!((places.first(), places.is_empty()), (list.first().copied(), list.is_empty()));
            }
        }
    }
}
