//! The suite of the scheduler contract, run on every scheduler of this crate.

mod filter_score {
    use orch_sched::FilterScoreScheduler;

    orch_testkit::scheduler_suite!(FilterScoreScheduler::builder().seed(7).build());
}

mod drf {
    use orch_sched::offer::{AllocatorOptions, DrfAllocator};

    orch_testkit::allocator_suite!(DrfAllocator::new(AllocatorOptions { seed: 7, ..AllocatorOptions::default() }));
}

mod optimistic {
    use orch_sched::offer::{AllocatorOptions, OptimisticAllocator};

    orch_testkit::allocator_suite!(OptimisticAllocator::new(AllocatorOptions {
        seed: 7,
        ..AllocatorOptions::default()
    }));
}

mod strictly_optimistic {
    use orch_sched::offer::{AllocatorOptions, OptimisticAllocator};

    orch_testkit::allocator_suite!(OptimisticAllocator::strict(AllocatorOptions::default()));
}

mod offer {
    use orch_sched::OfferScheduler;

    orch_testkit::scheduler_suite!(OfferScheduler::default());
}
