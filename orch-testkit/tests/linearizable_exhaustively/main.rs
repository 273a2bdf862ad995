//! The fast check of histories says what an obviously right one says that tries every order.

mod generated;
mod sequential;

use orch_testkit::history::{History, Verdict, check};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_history_of_a_right_store_is_found_to_be_right(steps in generated::steps()) {
        let history = generated::play(&steps);
        prop_assert!(sequential::explains(&history), "the exhaustive check itself is wrong:\n{}", show(&history));
        prop_assert!(matches!(check(&history), Verdict::Kept(_)), "{:?}\n{}", check(&history), show(&history));
    }

    #[test]
    fn on_a_history_that_was_tampered_with_both_checks_agree(
        steps in generated::steps(),
        changes in generated::changes(),
    ) {
        let mut history = generated::play(&steps);
        generated::tamper(&mut history, &changes);
        match check(&history) {
            Verdict::Kept(_) => {
                prop_assert!(sequential::explains(&history), "found to be right:\n{}", show(&history));
            }
            Verdict::Violated(violation) => {
                prop_assert!(!sequential::explains(&history), "{}\nfound to be wrong:\n{}", violation, show(&history));
            }
            Verdict::Undecided { .. } => prop_assert!(false, "undecided:\n{}", show(&history)),
        }
    }
}

#[test]
fn tampering_makes_many_histories_wrong_and_leaves_many_right() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut right, mut wrong) = (0, 0);
    for _ in 0..500 {
        let tree = (generated::steps(), generated::changes()).new_tree(&mut runner);
        let (steps, changes) = tree.expect("nothing is filtered out").current();
        let mut history = generated::play(&steps);
        generated::tamper(&mut history, &changes);
        if sequential::explains(&history) { right += 1 } else { wrong += 1 }
    }
    println!("{right} right, {wrong} wrong");
    assert!(right > 50 && wrong > 50, "{right} right, {wrong} wrong");
}

fn show(history: &History) -> String {
    history.operations.iter().map(|operation| format!("{operation}\n")).collect()
}
