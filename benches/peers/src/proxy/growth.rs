//! [`Growth`]: how what was measured grows with the number of services.

use std::collections::BTreeMap;

use super::shape::Shape;
use crate::row::{time, verdict};

/// How what was measured grows with the number of services.
#[derive(Debug, Default)]
pub struct Growth(BTreeMap<(u8, &'static str), Curve>);

#[derive(Debug)]
struct Curve {
    /// How many times the least size's the greatest size's may be.
    most: f64,
    /// Nanoseconds by number of services.
    times: BTreeMap<u16, f64>,
}

impl Growth {
    /// What does not grow: so much more is the noise of a quiet machine.
    pub const FLAT: f64 = 1.2;

    /// Takes down what took how many nanoseconds.
    pub fn add(&mut self, shape: Shape, what: &'static str, most: f64, nanoseconds: f64) {
        let curve = self.0.entry((shape.endpoints, what)).or_insert(Curve { most, times: BTreeMap::new() });
        curve.times.insert(shape.services, nanoseconds);
    }

    /// Prints a table, if there was more than one size.
    pub fn print(&self) {
        let sizes: Vec<u16> = self.0.values().next().map_or(Vec::new(), |curve| curve.times.keys().copied().collect());
        let [least, .., greatest] = sizes[..] else { return };
        let head: Vec<String> = sizes.iter().map(|services| format!("{services} services")).collect();
        println!(
            "\n| growth | {} | {greatest} ÷ {least} | goal |\n|---|{}---|---|",
            head.join(" | "),
            "---|".repeat(sizes.len())
        );
        for ((endpoints, what), curve) in &self.0 {
            let cells: Vec<String> = curve.times.values().map(|nanoseconds| time(*nanoseconds)).collect();
            let growth = curve.times[&greatest] / curve.times[&least];
            let goal = verdict(&format!("≤ {} ×", curve.most), curve.most / growth);
            println!("| {what}, {endpoints} endpoints each | {} | {growth:.2} | {goal} |", cells.join(" | "));
        }
    }
}
