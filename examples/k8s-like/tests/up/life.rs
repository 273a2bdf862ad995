//! From nothing to three pods that answer, through the death of one, to nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Place, get, wait_for, web};

#[test]
fn three_pods_answer_at_one_address_and_ctrl_c_leaves_nothing_behind() {
    let place = Place::new("answers");
    place.write(&web(&place.token, 3, ""));
    let mut up = place.up();
    let address = up.settles();
    let mut answers = BTreeSet::new();
    wait_for("all three answer", || {
        answers.insert(get(&address).expect("a service with ready endpoints answers"));
        (answers.len() == 3).then_some(())
    });
    assert!(answers.iter().all(|answer| answer.starts_with(&format!("{} from web-", place.token))), "{answers:?}");
    assert_eq!(place.processes().len(), 3);
    assert!(!up.has_heard(&["warning"]), "nothing is wrong with a first run");
    up.stop();
    assert_eq!(place.processes(), BTreeSet::new());
}

#[test]
fn a_killed_process_is_replaced_and_clients_do_not_notice() {
    let place = Place::new("killed");
    place.write(&web(&place.token, 3, ""));
    let mut up = place.up();
    let address = up.settles();
    let before = place.wait_for_processes("three run", |pids| pids.len() == 3);

    let stop = Arc::new(AtomicBool::new(false));
    let client = std::thread::spawn({
        let (stop, address) = (Arc::clone(&stop), address.clone());
        move || {
            let (mut asked, mut failed) = (0, Vec::new());
            while !stop.load(Ordering::Relaxed) {
                asked += 1;
                failed.extend(get(&address).err());
            }
            (asked, failed)
        }
    });
    let victim = *before.first().expect("one runs");
    kill(Pid::from_raw(victim), Signal::SIGKILL).expect("it runs");
    let after = place.wait_for_processes("three run again", |pids| pids.len() == 3 && !pids.contains(&victim));
    assert_eq!(before.intersection(&after).count(), 2, "the others are left alone");
    up.hears(&["was restarted"]);
    up.hears(&["is ready"]);

    stop.store(true, Ordering::Relaxed);
    let (asked, failed) = client.join().expect("the client does not panic");
    // One request at a time: at most one was under way with the process that was killed.
    assert!(failed.len() <= 1, "{} of {asked} requests failed: {failed:?}", failed.len());
    up.stop();
}
