//! Many pods at once, by `ContainerdRuntime`.

use tokio::runtime::Builder;

use super::containerd::Place;
use super::raw_containerd::Output;
use super::trip::{self, Trips};
use crate::measure::in_turn;
use crate::row::{Goal, Row};

const PODS: usize = 200;
const AT_ONCE: usize = 8;

pub fn rows() -> Vec<Row> {
    let place = Place::new(Builder::new_multi_thread());
    let daemons = vec![place.containerd.process_id().expect("it runs")];
    let trips = Trips { executor: &place.executor, daemons, pods: PODS, at_once: AT_ONCE };
    let raw = place.raw(Output::Logger);
    let [ours, raw] = in_turn([
        trips.side("ContainerdRuntime", &place.pods),
        trips.side("the calls for the containers alone, with the same logger", &raw),
    ]);
    place.leave();
    // A thousand in a minute.
    let goal = Goal::PerSecond(1000.0 / 60.0);
    let [start, remove] = trip::rows(&format!("{PODS} pods, {AT_ONCE} at a time"), &ours, &raw, Some(goal));
    let all = |rate: f64| format!("all in {:.1} s", PODS as f64 / rate);
    vec![start.remark(all), remove.remark(all)]
}
