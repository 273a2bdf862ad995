//! [`Book`] against a history in which everything that was ever given is looked up.

use proptest::prelude::*;

use super::*;

/// Five addresses.
const RANGE: Range<u32> = 10..15;
const QUARANTINE: Duration = Duration::from_secs(60);

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    Give(u8),
    GiveBack(u8),
    /// So many seconds pass.
    Wait(u64),
    /// The clock is set back by so many seconds.
    SetBack(u64),
    /// The process ends, and another one begins with what is on the disk.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..8_u8).prop_map(Step::Give),
        3 => (0..8_u8).prop_map(Step::GiveBack),
        2 => (1..70_u64).prop_map(Step::Wait),
        1 => (1..500_u64).prop_map(Step::SetBack),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 0..60)
}

/// Every time that an address was given: to whom, and when it was given back in true time.
#[derive(Default)]
struct History(Vec<(Ipv4Addr, PodUid, Option<u64>)>);

impl History {
    fn of(&self, pod: &PodUid) -> Option<Ipv4Addr> {
        self.0.iter().find(|(_, who, until)| who == pod && until.is_none()).map(|(address, ..)| *address)
    }

    /// Whether an address can be given at a moment of true time.
    fn is_free(&self, address: Ipv4Addr, at: u64) -> bool {
        let over = |until: &Option<u64>| until.is_some_and(|until| at - until >= QUARANTINE.as_secs());
        self.0.iter().filter(|(other, ..)| *other == address).all(|(.., until)| over(until))
    }

    fn give_back(&mut self, pod: &PodUid, at: u64) {
        let held = self.0.iter_mut().filter(|(_, who, until)| who == pod && until.is_none());
        held.for_each(|(.., until)| *until = Some(at));
    }
}

fn pod(number: u8) -> PodUid {
    format!("pod-{number}").parse().expect("a uid")
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::new(seconds, 0).expect("a time")
}

fn read_again(book: &Book) -> Book {
    serde_json::from_slice(&serde_json::to_vec(book).expect("it is written")).expect("it is read")
}

proptest! {
    #[test]
    fn no_address_is_given_twice_or_before_it_has_rested(steps in steps()) {
        // `other` is never restarted.
        let (mut book, mut other, mut history) = (Book::default(), Book::default(), History::default());
        let (mut true_time, mut clock, mut was_set_back) = (0_u64, 1_000_000_i64, false);
        for step in steps {
            match step {
                Step::Give(number) => {
                    let (pod, now) = (pod(number), time(clock));
                    let given = book.give(&pod, &RANGE, QUARANTINE, now);
                    prop_assert_eq!(given, other.give(&pod, &RANGE, QUARANTINE, now), "a restart changes nothing");
                    match (history.of(&pod), given) {
                        (Some(held), given) => prop_assert_eq!(given, Ok(held), "it keeps its own"),
                        (None, Ok(address)) => {
                            prop_assert!(RANGE.contains(&u32::from(address)));
                            prop_assert!(history.is_free(address, true_time), "{} was given too soon", address);
                            history.0.push((address, pod, None));
                        }
                        (None, Err(none)) => {
                            prop_assert_eq!(none.held + none.resting, RANGE.len());
                            let free = RANGE.map(Ipv4Addr::from).any(|address| history.is_free(address, true_time));
                            prop_assert!(was_set_back || !free, "one could have been given");
                            prop_assert!(none.next.is_none_or(|next| next > now), "{:?}", none.next);
                        }
                    }
                }
                Step::GiveBack(number) => {
                    book.give_back(&pod(number), time(clock));
                    other.give_back(&pod(number), time(clock));
                    history.give_back(&pod(number), true_time);
                }
                Step::Wait(seconds) => {
                    true_time += seconds;
                    clock += seconds.cast_signed();
                }
                Step::SetBack(seconds) => {
                    was_set_back = true;
                    clock -= seconds.cast_signed();
                }
                Step::Restart => {
                    let known: BTreeMap<PodUid, Option<Ipv4Addr>> =
                        (0..8).map(pod).filter_map(|pod| Some((pod.clone(), Some(history.of(&pod)?)))).collect();
                    book = read_again(&book);
                    book.settle(&known, time(clock));
                    prop_assert_eq!(&book, &other, "a restart changes nothing");
                }
            }
            prop_assert_eq!(book.contradiction(), None);
        }
    }
}

#[test]
fn addresses_are_given_in_turn_and_one_given_back_comes_last() {
    let mut book = Book::default();
    for number in 0..5_u8 {
        let given = book.give(&pod(number), &RANGE, QUARANTINE, time(0)).expect("one is free");
        assert_eq!(u32::from(given), RANGE.start + u32::from(number));
    }
    book.give_back(&pod(3), time(10));
    book.give_back(&pod(1), time(20));
    let none = book.give(&pod(5), &RANGE, QUARANTINE, time(69)).expect_err("they rest");
    assert_eq!(none, NoneFree { held: 3, resting: 2, next: Some(time(70)) });
    assert_eq!(book.give(&pod(5), &RANGE, QUARANTINE, time(70)).map(u32::from), Ok(13));
    assert_eq!(book.give(&pod(6), &RANGE, QUARANTINE, time(80)).map(u32::from), Ok(11));
}

#[test]
fn a_clock_that_is_set_back_makes_none_rest_for_ever() {
    let mut book = Book::default();
    let one = 10..11;
    book.give(&pod(0), &one, QUARANTINE, time(1_000_000)).expect("it is free");
    book.give_back(&pod(0), time(1_000_000));
    let none = book.give(&pod(1), &one, QUARANTINE, time(0)).expect_err("it rests");
    assert_eq!(none.next, Some(time(60)), "from the moment on at which that was seen");
    book.give(&pod(1), &one, QUARANTINE, time(59)).expect_err("it rests");
    book.give(&pod(1), &one, QUARANTINE, time(60)).expect("it has rested");
}

#[test]
fn a_lost_or_old_book_is_settled_by_what_is_known_of_pods() {
    let mut book = Book::default();
    let [a, b, c] = [0, 1, 2].map(pod);
    let address = |last: u32| Ipv4Addr::from(last);
    book.give(&a, &RANGE, QUARANTINE, time(0)).expect("10 is free");
    book.give(&b, &RANGE, QUARANTINE, time(0)).expect("11 is free");
    // What the book says of `b` is not so; `c` it has not heard of; `a` has gone.
    let known = BTreeMap::from([(b.clone(), Some(address(14))), (c.clone(), Some(address(11)))]);
    book.settle(&known, time(5));
    assert_eq!(book.pods, BTreeMap::from([(b, address(14)), (c, address(11))]));
    assert_eq!(book.resting, BTreeMap::from([(address(10), time(5))]));
    assert_eq!(book.contradiction(), None);
    let both = BTreeMap::from([(pod(3), address(12)), (pod(4), address(12))]);
    let told = Book { pods: both, ..Book::default() }.contradiction().expect("it is wrong");
    assert!(told.contains("0.0.0.12") && told.contains("pod-3") && told.contains("pod-4"), "{told}");
}
