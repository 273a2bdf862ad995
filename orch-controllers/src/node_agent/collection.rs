//! [`unused_images`]: which images a node can do without.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orch_core::clock::Timestamp;
use orch_core::runtime::{Image, ImageName, Supply};

use super::crash_loop::span;

/// When images that no pod uses are removed. As in Kubernetes: above `high_percent` of the disk in use, those that were
/// not used the longest go, until `low_percent` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageCollection {
    /// How much of the disk may be in use before images are removed, in hundredths.
    pub high_percent: u8,
    /// How much is in use when that ends, in hundredths.
    pub low_percent: u8,
    /// How long an image stays that nobody uses: it may have been fetched for a pod that is about to start.
    pub min_age: Duration,
}

/// As Kubernetes has it: 85 %, 80 %, 2 minutes.
impl Default for ImageCollection {
    fn default() -> Self {
        Self { high_percent: 85, low_percent: 80, min_age: Duration::from_secs(120) }
    }
}

/// When each image was last seen in use. Forgotten with the process: then all count as used at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LastUsed(BTreeMap<String, Timestamp>);

impl LastUsed {
    /// Takes in what there is now, and what of it is used: by containers, by content, or by pods, by name.
    pub(super) fn see(
        &mut self,
        images: &[Image],
        by_containers: &BTreeSet<String>,
        by_pods: &BTreeSet<ImageName>,
        now: Timestamp,
    ) {
        self.0.retain(|id, _| images.iter().any(|image| image.id == *id));
        for image in images {
            let used = by_containers.contains(&image.id) || image.names.iter().any(|name| by_pods.contains(name));
            let last = self.0.entry(image.id.clone()).or_insert(now);
            if used {
                *last = now;
            }
        }
    }
}

/// The images that are to go, in order, and nothing that was in use just now. `pressed`: the node is short of disk, so all
/// that nobody uses go, whatever their age.
pub(super) fn unused_images(
    config: &ImageCollection,
    images: &[Image],
    last_used: &LastUsed,
    disk: Supply,
    pressed: bool,
    now: Timestamp,
) -> Vec<String> {
    let in_use = |percent: u8| disk.capacity / 100 * u64::from(percent);
    if !pressed && disk.used() <= in_use(config.high_percent) {
        return Vec::new();
    }
    let mut unused: Vec<(Timestamp, &Image)> = images
        .iter()
        .filter_map(|image| Some((*last_used.0.get(&image.id)?, image)))
        .filter(|(last, _)| *last < now && (pressed || span(*last, now) >= config.min_age))
        .collect();
    unused.sort_by(|one, other| (one.0, &one.1.id).cmp(&(other.0, &other.1.id)));
    let mut to_free = if pressed { u64::MAX } else { disk.used().saturating_sub(in_use(config.low_percent)) };
    let wanted = unused.into_iter().take_while(|(_, image)| {
        let wanted = to_free > 0;
        to_free = to_free.saturating_sub(image.size_bytes);
        wanted
    });
    wanted.map(|(_, image)| image.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn image(id: &str, size_bytes: u64) -> Image {
        Image { id: id.to_owned(), names: vec![format!("local.test/{id}:1").parse().expect("a name")], size_bytes }
    }

    /// Three images of 10 bytes: `a` was used at 0, `b` at 100, `c` is used by a pod at 200.
    fn history() -> (Vec<Image>, LastUsed) {
        let images = [image("a", 10), image("b", 10), image("c", 10)].to_vec();
        let mut last = LastUsed::default();
        let by_pods = BTreeSet::from([images[2].names[0].clone()]);
        last.see(&images, &["a", "b"].map(str::to_owned).into(), &by_pods, at(0));
        last.see(&images, &["b".to_owned()].into(), &by_pods, at(100));
        last.see(&images, &BTreeSet::new(), &by_pods, at(200));
        (images, last)
    }

    fn gone(used: u64, pressed: bool, now: i64) -> Vec<String> {
        let (images, last) = history();
        let disk = Supply { capacity: 100, available: 100 - used };
        unused_images(&ImageCollection::default(), &images, &last, disk, pressed, at(now))
    }

    #[test]
    fn nothing_goes_while_there_is_room() {
        assert_eq!(gone(85, false, 200), Vec::<String>::new());
    }

    #[test]
    fn the_longest_unused_go_until_there_is_room_again() {
        assert_eq!(gone(86, false, 200), ["a"], "6 bytes too many, and one gives 10");
        assert_eq!(gone(95, false, 200), ["a"], "b was used 100 s ago");
        assert_eq!(gone(95, false, 230), ["a", "b"]);
    }

    #[test]
    fn without_room_all_that_nobody_uses_go() {
        assert_eq!(gone(50, true, 200), ["a", "b"]);
    }

    #[test]
    fn what_was_not_there_before_counts_as_used_when_it_came() {
        let (mut images, mut last) = history();
        images.push(image("d", 10));
        last.see(&images, &BTreeSet::new(), &BTreeSet::new(), at(300));
        let disk = Supply { capacity: 100, available: 1 };
        let gone = unused_images(&ImageCollection::default(), &images, &last, disk, false, at(310));
        assert!(!gone.contains(&"d".to_owned()));
    }
}
