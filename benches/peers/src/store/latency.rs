//! [`Histogram`]: how long things took.

/// Counts of nanoseconds, in steps of a sixteenth: no number that it tells is off by more than that.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    most: u64,
}

/// Steps from one power of two to the next, as a power of two.
const STEPS: u32 = 4;

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; bucket(u64::MAX) + 1], most: 0 }
    }
}

impl Histogram {
    pub fn add(&mut self, nanoseconds: u64) {
        self.counts[bucket(nanoseconds)] += 1;
        self.most = self.most.max(nanoseconds);
    }

    /// The least number that this share of all is not above, rounded up.
    pub fn quantile(&self, share: f64) -> f64 {
        let all: u64 = self.counts.iter().sum();
        let wanted = (all as f64 * share).ceil() as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map_or(0.0, |index| upper(index).min(self.most as f64))
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let bits = 64 - nanoseconds.leading_zeros();
    if bits <= STEPS + 1 {
        return nanoseconds as usize;
    }
    let shift = bits - STEPS - 1;
    ((shift << STEPS) as usize) + (nanoseconds >> shift) as usize
}

/// The greatest number in a bucket.
fn upper(bucket: usize) -> f64 {
    let shift = (bucket >> STEPS).saturating_sub(1);
    let first = bucket - (shift << STEPS);
    ((first + 1) as f64) * (shift as f64).exp2() - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_off_by_a_sixteenth_at_most() {
        let mut histogram = Histogram::default();
        (1..=100_000).for_each(|number| histogram.add(number));
        for share in [0.01, 0.5, 0.9, 0.99, 1.0] {
            let (exact, told) = (share * 100_000.0, histogram.quantile(share));
            assert!(told >= exact && told <= exact * 17.0 / 16.0, "{share}: {told} for {exact}");
        }
    }
}
