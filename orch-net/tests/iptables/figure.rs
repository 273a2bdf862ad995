//! How long a change of one endpoint takes. Run it with `--ignored --nocapture`; it prints, and claims nothing.

use std::time::Duration;

use orch_core::proxy::{Endpoint, EndpointState, ServicePort, ServiceProxy as _, ServiceTable};
use orch_net::{IptablesConfig, IptablesProxy};
use orch_testkit::daemon::Host;
use tokio::time::Instant;

use crate::node::{config, name, port};

#[test]
#[ignore = "it measures, for a minute"]
fn a_change_of_one_endpoint_among_many_services() {
    for services in [1_000_u16, 10_000] {
        let host = Host::new();
        let _inside = host.enter();
        orch_testkit::suite::run(async {
            let proxy = IptablesProxy::new(IptablesConfig { check_interval: None, ..config() });
            let mut table = ServiceTable::default();
            for number in 0..services {
                table.set(name(&format!("web-{number}")), Some(web(number, 0)));
            }
            let start = Instant::now();
            proxy.sync(table.clone().into()).await.expect("a good table");
            let first = start.elapsed();
            let (mut changes, mut additions) = (Vec::new(), Vec::new());
            for round in 1..=21 {
                table.set(name("web-500"), Some(web(500, round)));
                changes.push(timed(&proxy, &table).await);
                let at = ([10, 97, 0, round], 80).into();
                table.set(name(&format!("new-{round}")), Some(port(at, &[])));
                additions.push(timed(&proxy, &table).await);
            }
            let start = Instant::now();
            proxy.check().await.expect("it is read");
            println!(
                "{services} services of 10 endpoints: first sync {first:?}, check {:?}; one endpoint changed {}; one \
                 service added {}",
                start.elapsed(),
                told(changes),
                told(additions)
            );
        });
    }
}

async fn timed(proxy: &IptablesProxy, table: &ServiceTable) -> (Duration, usize) {
    let report = proxy.sync(table.clone().into()).await.expect("a good table");
    assert_eq!(report.changed, 1);
    (report.took, proxy.last_sync().rules)
}

fn told(mut measured: Vec<(Duration, usize)>) -> String {
    measured.sort_unstable();
    let at = |part: usize| measured[measured.len() * part / 10].0;
    format!("p50 {:?} (p10 {:?}, p90 {:?}), {} rules", at(5), at(1), at(9), measured[measured.len() / 2].1)
}

fn web(number: u16, round: u8) -> ServicePort {
    let [high, low] = number.to_be_bytes();
    let endpoint = |index: u8| {
        let last = if index == 0 { 100 + round } else { index };
        let address = ([10, 128 | high, low, last], 8080).into();
        Endpoint { address, is_local: false, state: EndpointState::Ready }
    };
    ServicePort { endpoints: (0..10).map(endpoint).collect(), ..port(([10, 96, high, low], 80).into(), &[]) }
}
