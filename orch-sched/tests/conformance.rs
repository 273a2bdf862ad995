//! The suite of the scheduler contract, run on every scheduler of this crate.

mod filter_score {
    use orch_sched::FilterScoreScheduler;

    orch_testkit::scheduler_suite!(FilterScoreScheduler::builder().seed(7).build());
}
