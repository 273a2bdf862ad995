//! Plans are performed here by hand, one after the other.

use std::net::SocketAddr;

use orch_core::clock::Timestamp;
use orch_core::kind::Object;
use orch_core::object::{ObjectMeta, Protocol, ServicePort, Uid};
use orch_core::proxy::{ProxyError, ServiceTable, SyncReport};
use orch_net::MemoryProxy;
use orch_testkit::model::ModelView;
use orch_testkit::suite;

use super::*;

/// Serves TCP, and that only while it works.
#[derive(Debug, Default)]
struct TcpOnly {
    proxy: MemoryProxy,
    broken: Mutex<bool>,
    served: Mutex<Vec<ServicePortName>>,
}

#[async_trait]
impl ServiceProxy for TcpOnly {
    async fn sync(&self, table: Arc<ServiceTable>) -> Result<SyncReport, ProxyError> {
        if *self.broken.lock().expect("no panic") {
            let message = "no network".to_owned();
            return Err(ProxyError::Unavailable { message, transient: true, source: None });
        }
        if let Some((name, _)) = table.iter().find(|(_, port)| port.protocol != Protocol::Tcp) {
            return Err(ProxyError::Unsupported { name: name.clone(), message: "TCP only".to_owned() });
        }
        let report = self.proxy.sync(Arc::clone(&table)).await?;
        *self.served.lock().expect("no panic") = table.iter().map(|(name, _)| name.clone()).collect();
        Ok(report)
    }

    async fn clear(&self) -> Result<(), ProxyError> {
        self.proxy.clear().await
    }
}

fn service(name: &str, at: &str, protocol: Protocol) -> Service {
    let at: SocketAddr = at.parse().expect("an address");
    let metadata = ObjectMeta {
        name: name.to_owned(),
        namespace: Some("shop".to_owned()),
        uid: Some(Uid::new(name)),
        ..ObjectMeta::default()
    };
    let mut service = Service { metadata, ..Service::default() };
    service.spec.cluster_ip = Some(at.ip().to_string());
    service.spec.ports =
        vec![ServicePort { port: at.port().into(), protocol: Some(protocol), ..ServicePort::default() }];
    service
}

fn show(controller: &ServiceProxyController, service: Service) {
    let key = Object::key(&service).expect("a key");
    controller.observe(&Change::Put { key, object: Arc::new(service), previous: None });
}

/// Performs one plan. Returns the reports, whether there was an effect, and what came of it.
async fn round(controller: &ServiceProxyController) -> (Vec<String>, Option<Result<(), String>>) {
    // The controller does not look at it.
    let view = ModelView::default();
    let context = Context { view: &view, now: Timestamp::UNIX_EPOCH };
    let plan = controller.reconcile(&table_key().expect("a key"), context).await.expect("a plan");
    let (mut reports, mut result) = (Vec::new(), None);
    for action in plan.actions {
        match action {
            Action::Report(report) => reports.push(report.message),
            Action::Effect(effect) => result = Some(effect.perform().await.map_err(|error| error.to_string())),
            other => panic!("{other:?}"),
        }
    }
    (reports, result)
}

fn names(proxy: &TcpOnly) -> Vec<String> {
    proxy.served.lock().expect("no panic").iter().map(ToString::to_string).collect()
}

#[test]
fn the_proxy_is_synced_once_for_each_change_and_once_at_the_start() {
    suite::run(async {
        let proxy = Arc::new(TcpOnly::default());
        let controller = ServiceProxyController::new(Arc::<TcpOnly>::clone(&proxy), None);
        assert_eq!(round(&controller).await, (Vec::new(), Some(Ok(()))), "what an earlier run left is taken away");
        assert_eq!(round(&controller).await, (Vec::new(), None));
        show(&controller, service("web", "10.96.0.1:80", Protocol::Tcp));
        show(&controller, service("db", "10.96.0.2:80", Protocol::Tcp));
        assert_eq!(round(&controller).await, (Vec::new(), Some(Ok(()))));
        assert_eq!(names(&proxy), ["shop/db", "shop/web"]);
        show(&controller, service("web", "10.96.0.1:80", Protocol::Tcp));
        assert_eq!(round(&controller).await, (Vec::new(), None), "nothing changed");
    });
}

#[test]
fn a_service_that_the_proxy_refuses_does_not_stop_the_others_and_is_reported_and_tried_again() {
    suite::run(async {
        let proxy = Arc::new(TcpOnly::default());
        let controller = ServiceProxyController::new(Arc::<TcpOnly>::clone(&proxy), None);
        show(&controller, service("dns", "10.96.0.1:53", Protocol::Udp));
        show(&controller, service("web", "10.96.0.2:80", Protocol::Tcp));
        let refusal = "service port shop/dns cannot be served by this proxy: TCP only";
        let failed = Some(Err(format!("1 of 2 service ports are not served: {refusal}")));
        assert_eq!(round(&controller).await, (Vec::new(), failed.clone()));
        assert_eq!(names(&proxy), ["shop/web"]);
        assert_eq!(round(&controller).await, (vec![format!("shop/dns is not served: {refusal}")], failed));
        show(&controller, service("dns", "10.96.0.1:53", Protocol::Tcp));
        round(&controller).await;
        assert_eq!(names(&proxy), ["shop/dns", "shop/web"]);
        assert_eq!(round(&controller).await, (Vec::new(), None));
    });
}

#[test]
fn a_service_that_contradicts_another_is_reported_and_never_reaches_the_proxy() {
    suite::run(async {
        let proxy = Arc::new(TcpOnly::default());
        let controller = ServiceProxyController::new(Arc::<TcpOnly>::clone(&proxy), None);
        show(&controller, service("a", "10.96.0.1:80", Protocol::Tcp));
        show(&controller, service("b", "10.96.0.1:80", Protocol::Tcp));
        let (reports, result) = round(&controller).await;
        assert_eq!(result, Some(Ok(())));
        assert!(reports[0].starts_with("shop/b is not served: port 80 of 10.96.0.1 belongs to shop/a"), "{reports:?}");
        assert_eq!(names(&proxy), ["shop/a"]);
    });
}

#[test]
fn a_proxy_that_fails_as_a_whole_is_tried_again_with_the_table_of_then() {
    suite::run(async {
        let proxy = Arc::new(TcpOnly::default());
        let controller = ServiceProxyController::new(Arc::<TcpOnly>::clone(&proxy), None);
        *proxy.broken.lock().expect("no panic") = true;
        show(&controller, service("web", "10.96.0.1:80", Protocol::Tcp));
        let failed = Some(Err("the proxy is unavailable: no network".to_owned()));
        assert_eq!(round(&controller).await, (Vec::new(), failed));
        *proxy.broken.lock().expect("no panic") = false;
        show(&controller, service("db", "10.96.0.2:80", Protocol::Tcp));
        assert_eq!(round(&controller).await, (Vec::new(), Some(Ok(()))));
        assert_eq!(names(&proxy), ["shop/db", "shop/web"]);
    });
}
