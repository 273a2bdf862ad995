//! The keeper of service addresses under every fault at every point.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use orch_controllers::service_address::{
    AllocateError, ServiceAddressConfig, ServiceAddressController, ServiceAllocator,
};
use orch_core::client::{ClientError, Precondition};
use orch_core::entropy::SeededEntropy;
use orch_core::key::Key;
use orch_core::kind::Object;
use orch_core::object::{IpAddress, Namespace, Service, ServiceNodePort};
use orch_testkit::fault::{Actor, Cluster, Scenario, Step, System};

fn config() -> ServiceAddressConfig {
    ServiceAddressConfig {
        ranges: vec!["10.0.0.0/24".parse().expect("a range"), "fd00::/112".parse().expect("a range")],
        ..ServiceAddressConfig::default()
    }
}

fn system(cluster: &Cluster) -> System {
    let store = Arc::clone(cluster.client().store());
    System::new().controller(move || Arc::new(ServiceAddressController::new(Arc::clone(&store), config())))
}

fn scenario(name: &'static str) -> Scenario {
    Scenario::new(name, system).horizon(Duration::from_secs(900))
}

fn service(name: &str, addresses: &[&str], node_port: Option<i32>) -> Service {
    let mut service: Service = serde_json::from_value(serde_json::json!({
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "type": if node_port.is_some() { "NodePort" } else { "ClusterIP" },
            "clusterIP": addresses.first(), "clusterIPs": addresses,
            "ports": [{"port": 80, "nodePort": node_port}],
        },
    }))
    .expect("a service");
    service.spec.selector.insert("app".to_owned(), name.to_owned());
    service
}

fn service_key(name: &str) -> Key {
    Key::new(&Service::KIND, Some("shop"), name).expect("a name")
}

fn address_key(address: &str) -> Key {
    Key::new(&IpAddress::KIND, None, address).expect("a name")
}

/// Creates or changes a service by the allocator. Uids follow from the seed.
fn allocate(seed: u64, service: Service) -> Step {
    let words = format!("the allocator writes {} {:?}", service.metadata.name, service.spec.cluster_ips);
    Step::new(words, move |cluster| write(cluster, seed, service.clone()).boxed())
}

async fn write(cluster: &Cluster, seed: u64, mut service: Service) -> Result<(), ClientError> {
    let (clock, entropy) = (Arc::clone(cluster.client().clock()), Arc::new(SeededEntropy::new(seed)));
    let allocator = ServiceAllocator::new(cluster.transact(), clock, entropy, config()).expect("an allocator");
    let written = match cluster.get::<Service>(&service_key(&service.metadata.name)) {
        Some(old) => {
            service.metadata = old.metadata.clone();
            allocator.update(service, &Precondition::of(&*old)?).await
        }
        None => allocator.create(service).await,
    };
    match written {
        Ok(_) => Ok(()),
        Err(AllocateError::Client(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

/// Every service has on record what it has, and no two have the same.
fn nothing_is_shared_or_off_the_record(cluster: &Cluster) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for service in cluster.list::<Service>() {
        let key = Object::key(&*service).expect("a key");
        for address in &service.spec.cluster_ips {
            if !seen.insert(address.clone()) {
                return Err(format!("two services have {address}"));
            }
            let on_record = cluster.get::<IpAddress>(&address_key(address));
            let parent = on_record.and_then(|on_record| on_record.spec.parent_ref.service());
            if parent.as_ref() != Some(&key) {
                return Err(format!("{key} has {address}, which is on record for {parent:?}"));
            }
        }
        for port in service.spec.ports.iter().filter_map(|port| port.node_port) {
            let on_record = Key::new(&ServiceNodePort::KIND, None, &port.to_string()).expect("a name");
            if !seen.insert(port.to_string()) || cluster.get::<ServiceNodePort>(&on_record).is_none() {
                return Err(format!("{key} has the node port {port}, which is another's or nobody's"));
            }
        }
    }
    Ok(())
}

/// Asks for what `web` had, as soon as it may ask and nobody has it.
#[derive(Debug)]
struct Applicant;

#[async_trait]
impl Actor for Applicant {
    async fn act(&mut self, cluster: &Cluster) -> bool {
        let on_record = cluster.list::<IpAddress>().len() + cluster.list::<ServiceNodePort>().len();
        if cluster.list::<Namespace>().is_empty() || on_record + cluster.list::<Service>().len() > 0 {
            return false;
        }
        write(cluster, 99, service("other", &["10.0.0.7", "fd00::7"], Some(30_100))).await.is_ok()
    }
}

fn what_a_deleted_service_had_rests_and_is_then_free_for_another() -> Scenario {
    let with_applicant = |cluster: &Cluster| system(cluster).actor(Applicant);
    let mut may_ask = Namespace::default();
    may_ask.metadata.name = "shop".to_owned();
    Scenario::new("service addresses: deleted, and given again", with_applicant)
        .horizon(Duration::from_secs(900))
        .step(allocate(1, service("web", &["10.0.0.7", "fd00::7"], Some(30_100))))
        .step(Step::delete::<Service>(&service_key("web")))
        .step(Step::create(may_ask))
        .always("nothing is shared", nothing_is_shared_or_off_the_record)
}

fn a_service_that_comes_back_while_its_address_rests_has_it_at_once() -> Scenario {
    scenario("service addresses: back before the rest is over")
        .step(allocate(3, service("web", &["10.0.0.7"], None)))
        .step(Step::delete::<Service>(&service_key("web")))
        .step(
            allocate(4, service("web", &["10.0.0.7"], None)).as_soon_as(|cluster| cluster.list::<Service>().is_empty()),
        )
        .always("nothing is shared", nothing_is_shared_or_off_the_record)
}

fn a_port_that_a_service_gives_up_is_released_and_its_address_stays() -> Scenario {
    scenario("service addresses: a node port is given up")
        .step(allocate(5, service("web", &["10.0.0.7"], Some(30_100))))
        .step(allocate(6, service("web", &["10.0.0.7"], None)))
        .always("nothing is shared", nothing_is_shared_or_off_the_record)
}

fn what_services_have_from_elsewhere_is_put_on_record_for_the_older() -> Scenario {
    let younger = service("b-young", &["10.0.0.8"], None);
    let not_a_service = IpAddress {
        metadata: orch_core::object::ObjectMeta { name: "10.0.0.99".to_owned(), ..Default::default() },
        spec: serde_json::from_value(serde_json::json!({"parentRef": {
            "group": "gateway.networking.k8s.io", "resource": "gateways", "namespace": "shop", "name": "door",
        }}))
        .expect("a spec"),
    };
    let older_has_it = |cluster: &Cluster| match cluster.get::<IpAddress>(&address_key("10.0.0.8")) {
        Some(on_record) if cluster.get::<Service>(&service_key("a-old")).is_some() => {
            let parent = on_record.spec.parent_ref.service();
            (parent == Some(service_key("a-old"))).then_some(()).ok_or(format!("it is on record for {parent:?}"))
        }
        _ => Ok(()),
    };
    let mut nobody = service("nonsense", &[], None);
    nobody.spec.cluster_ip = Some("ten".to_owned());
    scenario("service addresses: from elsewhere")
        .object(service("a-old", &["10.0.0.8"], Some(30_200)))
        .bystander(service("far", &["192.168.0.1"], None))
        .bystander(service("headless", &["None"], None))
        .bystander(not_a_service)
        .invalid(nobody)
        .step(Step::create(younger))
        .step(Step::delete::<Service>(&service_key("a-old")))
        .always("the older keeps it", older_has_it)
}

fn scenarios() -> Vec<Scenario> {
    vec![
        what_a_deleted_service_had_rests_and_is_then_free_for_another(),
        a_service_that_comes_back_while_its_address_rests_has_it_at_once(),
        a_port_that_a_service_gives_up_is_released_and_its_address_stays(),
        what_services_have_from_elsewhere_is_put_on_record_for_the_older(),
    ]
}

mod conformance {
    orch_testkit::controller_suite!(super::scenarios());
}
