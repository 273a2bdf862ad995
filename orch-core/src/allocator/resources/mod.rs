//! [`Resources`]: what a node has, a task uses, or an offer holds.

mod ranges;
mod resource;
mod scalar;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use ranges::Ranges;
pub use resource::{Disk, DiskSource, PersistentVolume, Reservation, Resource, Value};
pub use scalar::Scalar;
pub use text::ResourcesError;

/// What a node has, a task uses, or an offer holds. Parts that differ in nothing but how much are one part; there are no
/// empty ones, and their order is always the same.
///
/// The text form is that of Mesos's `--resources`:
///
/// ```
/// use orch_core::allocator::{Resources, Scalar};
///
/// let node: Resources = "cpus:4;mem:1024;cpus(db):2;ports:[31000-31009]".parse()?;
/// let task: Resources = "cpus:1.5;ports:[31003-31004]".parse()?;
/// assert!(node.contains(&task));
/// let left = node.minus(&task).expect("it was there");
/// assert_eq!(left.to_string(), "cpus:2.5;cpus(db):2;mem:1024;ports:[31000-31002,31005-31009]");
/// assert_eq!(left.scalar("cpus"), Scalar::from_millis(4_500));
/// assert_eq!(task.minus(&node), None);
/// # Ok::<(), orch_core::allocator::ResourcesError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resources(Vec<Resource>);

impl Resources {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts.
    pub fn iter(&self) -> impl Iterator<Item = &Resource> + Clone {
        self.0.iter()
    }

    /// Adds a part.
    pub fn add(&mut self, resource: Resource) {
        if resource.value.is_empty() {
            return;
        }
        let joined = self.0.iter_mut().find(|mine| mine.joins(&resource) && !mine.is_whole());
        match joined {
            Some(mine) => mine.value = mine.value.plus(&resource.value),
            None => {
                let place = self.0.partition_point(|mine| *mine < resource);
                self.0.insert(place, resource);
            }
        }
    }

    /// Both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        other.iter().cloned().for_each(|resource| sum.add(resource));
        sum
    }

    /// What is left without `other`; `None` if that is not all there.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Option<Self> {
        self.contains(other).then(|| self.saturating_minus(other))
    }

    /// What is left without so much of `other` as is there.
    #[must_use]
    pub fn saturating_minus(&self, other: &Self) -> Self {
        let mut left = self.0.clone();
        for taken in &other.0 {
            let from = left.iter().position(|mine| match taken.is_whole() {
                true => mine == taken,
                false => mine.joins(taken),
            });
            let Some(from) = from else { continue };
            let rest = left[from].value.minus(&taken.value);
            match rest.is_empty() {
                true => {
                    left.remove(from);
                }
                false => left[from].value = rest,
            }
        }
        Self(left)
    }

    /// Whether all of `other` is there.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let there = |wanted: &Resource| match wanted.is_whole() {
            // Volumes that are equal in all are two where there are two.
            true => count(self, wanted) >= count(other, wanted),
            false => self.0.iter().any(|mine| mine.joins(wanted) && mine.value.contains(&wanted.value)),
        };
        other.0.iter().all(there)
    }

    /// So much of these as is in `most`, too.
    #[must_use]
    pub fn within(&self, most: &Self) -> Self {
        self.saturating_minus(&self.saturating_minus(most))
    }

    /// The parts for which this is true.
    #[must_use]
    pub fn filtered(&self, wanted: impl Fn(&Resource) -> bool) -> Self {
        Self(self.0.iter().filter(|resource| wanted(resource)).cloned().collect())
    }

    /// How much of something there is in all parts together.
    #[must_use]
    pub fn scalar(&self, name: &str) -> Scalar {
        let amounts = self.0.iter().filter(|part| &*part.name == name).filter_map(Resource::amount);
        amounts.fold(Scalar::ZERO, Scalar::saturating_add)
    }

    /// The amounts of all parts together, whoever they are for.
    #[must_use]
    pub fn quantities(&self) -> Quantities {
        let mut sums = Quantities::new();
        for part in &self.0 {
            if let Some(amount) = part.amount() {
                let sum = sums.entry(Arc::clone(&part.name)).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
        sums
    }
}

/// Amounts by name, whoever they are for.
pub type Quantities = BTreeMap<Arc<str>, Scalar>;

fn count(resources: &Resources, wanted: &Resource) -> usize {
    resources.0.iter().filter(|mine| *mine == wanted).count()
}

impl FromIterator<Resource> for Resources {
    fn from_iter<T: IntoIterator<Item = Resource>>(parts: T) -> Self {
        let mut resources = Self::new();
        parts.into_iter().for_each(|part| resources.add(part));
        resources
    }
}

impl IntoIterator for Resources {
    type Item = Resource;
    type IntoIter = std::vec::IntoIter<Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(id: &str) -> Resource {
        let volume = PersistentVolume { id: id.to_owned(), ..PersistentVolume::default() };
        let role = "db".parse().expect("a role");
        let mut disk = Resource::scalar("disk", Scalar::from_units(100)).reserved(role);
        disk.disk = Some(Disk { volume: Some(volume), source: None });
        disk
    }

    #[test]
    fn a_persistent_volume_goes_whole_and_is_never_counted_with_another() {
        let node: Resources = [volume("a"), volume("b"), volume("a")].into_iter().collect();
        assert_eq!(node.iter().count(), 3);
        let mut half = volume("a");
        half.value = Value::Scalar(Scalar::from_units(50));
        assert!(!node.contains(&[half].into_iter().collect()));
        let both: Resources = [volume("a"), volume("a")].into_iter().collect();
        assert_eq!(node.minus(&both).map(|left| left.iter().count()), Some(1));
        assert_eq!(node.minus(&both.plus(&both)), None);
        assert_eq!(node.scalar("disk"), Scalar::from_units(300));
    }

    #[test]
    fn what_is_within_is_no_more_than_either() {
        let parse = |text: &str| text.parse::<Resources>().expect("resources");
        let (one, most) = (parse("cpus:4;mem:5;ports:[1-9]"), parse("cpus:2;mem:7;cpus(db):9;ports:[5-20]"));
        assert_eq!(one.within(&most), parse("cpus:2;mem:5;ports:[5-9]"));
    }
}
