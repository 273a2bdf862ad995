//! [`Few`]: a list that seldom has more than one.

/// A list that seldom has more than one. The first is kept in the list itself: to fetch it from elsewhere in memory takes
/// longer than much else that a round does for a node.
#[derive(Clone, Debug)]
pub(crate) struct Few<T> {
    /// None only if there are no others.
    first: Option<T>,
    others: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, others: Vec::new() }
    }
}

impl<T> Few<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn first(&self) -> Option<&T> {
        self.first.as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.others)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.first.iter_mut().chain(&mut self.others)
    }

    pub(crate) fn push(&mut self, last: T) {
        match self.first {
            None => self.first = Some(last),
            Some(_) => self.others.push(last),
        }
    }

    /// Leaves those for which this is true, in their order.
    pub(crate) fn retain(&mut self, stays: impl Fn(&T) -> bool) {
        self.others.retain(&stays);
        if self.first.as_ref().is_some_and(|first| !stays(first)) {
            self.first = (!self.others.is_empty()).then(|| self.others.remove(0));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn few_are_as_a_plain_list_would_be(steps in prop::collection::vec((0_u32..6, any::<bool>()), 0..40)) {
            let (mut few, mut list) = (Few::default(), Vec::new());
            for (item, comes) in steps {
                if comes {
                    few.push(item);
                    list.push(item);
                } else {
                    few.retain(|other| *other != item);
                    list.retain(|other| *other != item);
                }
                prop_assert_eq!(few.iter().collect::<Vec<_>>(), list.iter().collect::<Vec<_>>());
                prop_assert_eq!(few.iter_mut().map(|item| *item).collect::<Vec<_>>(), list.clone());
                prop_assert_eq!((few.first(), few.is_empty()), (list.first(), list.is_empty()));
            }
        }
    }
}
