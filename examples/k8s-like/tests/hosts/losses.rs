//! A host is cut off, a version rolled out, a node killed: who asks for the service notices for no longer than it takes to
//! detect the loss.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::{Cluster, Flavour, GRACE, host, hosts, in_both_flavours};
use crate::hosts::names;
use crate::requests::{Answer, Requests};

/// A node that is cut off counts as lost after the grace period, which begins with what was heard last. That it is looked at,
/// written down and told to every host may take this long on a machine that is busy with other tests.
const DETECTION: Duration = Duration::from_secs(GRACE + 2);

in_both_flavours!(nobody_is_failed_for_longer_than_detection_takes);

fn nobody_is_failed_for_longer_than_detection_takes(test: &str, flavour: Flavour) {
    let mut cluster = Cluster::start(hosts(&format!("losses-{test}")), flavour);
    cluster.everybody_reaches_everybody();
    let (service, _) = cluster.hosts.service();

    let requests = Requests::start(host(&cluster.hosts, 1), service.clone());
    let (cut, healed, lost) = cut_off_and_healed(&cluster);
    cluster.everybody_reaches_everybody();
    let answers = requests.stop();
    let (outage, failures) = outage(&answers, cut);
    eprintln!("{test}: {failures} of {} requests failed, the last {outage:?} after the cut", answers.len());
    assert!(outage <= DETECTION, "{outage:?} of {DETECTION:?}");
    let early: Vec<&Answer> = answers.iter().filter(|one| one.sent < cut && one.pod.is_none()).collect();
    assert!(early.is_empty(), "{early:?}");
    let meanwhile = answers.iter().filter(|one| one.sent > cut + DETECTION && one.sent < healed);
    let answered: BTreeSet<String> = meanwhile.filter_map(|one| one.pod.clone()).collect();
    assert!(answered.len() == 2 && !answered.contains(&lost), "{answered:?} without {lost}");

    let requests = Requests::start(host(&cluster.hosts, 1), service);
    cluster.roll_out();
    cluster.take_node(1).crash();
    std::thread::park_timeout(Duration::from_secs(1));
    cluster.start_node(1);
    cluster.everybody_reaches_everybody();
    let answers = requests.stop();
    let failed = answers.iter().filter(|one| one.pod.is_none()).count();
    eprintln!("{test}: {failed} of {} requests failed in a rollout and beside a killed node", answers.len());
    assert_eq!(failed, 0, "of {}", answers.len());
    cluster.stop();
}

/// Returns when the second node was cut off, when it was healed, and the pod that was lost meanwhile.
fn cut_off_and_healed(cluster: &Cluster) -> (Instant, Instant, String) {
    let hosts = &cluster.hosts;
    let on_b = hosts.ready().into_iter().find(|pod| pod["spec"]["nodeName"] == "b").expect("a pod on b");
    let lost = names(&[on_b]).pop_first().expect("a name");
    std::thread::park_timeout(Duration::from_secs(1));
    hosts.cut_off(2);
    let cut = Instant::now();
    hosts.until("the pod of the lost node is not ready", || {
        let ready = names(&hosts.ready());
        (ready.len() == 2 && !ready.contains(&lost)).then_some(())
    });
    // For long enough that others would be seen to fail.
    let enough = cut + DETECTION + Duration::from_secs(3);
    while Instant::now() < enough {
        std::thread::park_timeout(enough - Instant::now());
    }
    let healed = Instant::now();
    hosts.heal(2);
    hosts.settle(3);
    (cut, healed, lost)
}

/// How long after the cut the last request was sent that failed, and how many did.
fn outage(answers: &[Answer], cut: Instant) -> (Duration, usize) {
    let failed = || answers.iter().filter(|answer| answer.pod.is_none());
    let last = failed().map(|answer| answer.sent.saturating_duration_since(cut)).max();
    (last.unwrap_or_default(), failed().count())
}
