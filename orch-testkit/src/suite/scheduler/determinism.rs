//! S8: deterministic.

use orch_core::scheduler::Scheduler;
use proptest::prop_assert_eq;

use super::generated::for_all;
use crate::strategy::cluster::{changes, pods};

/// Two schedulers of the same configuration that were shown the same give the same answers.
pub async fn schedulers_that_were_shown_the_same_answer_the_same<S: Scheduler>(new: impl Fn() -> S) {
    for_all((changes(0..20), pods(1..6), pods(1..6)), |(changes, first, second)| {
        let answers = |mut scheduler: S| {
            for change in &changes {
                scheduler.observe(change.clone());
            }
            [&first, &second].map(|pods| {
                let pods: Vec<_> = pods.iter().cloned().map(Into::into).collect();
                scheduler.schedule(&pods)
            })
        };
        prop_assert_eq!(answers(new()), answers(new()), "both were shown and asked the same");
        Ok(())
    });
}
