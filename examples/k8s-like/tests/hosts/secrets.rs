//! An etcd with passwords, and one with certificates.

use std::fs;

use orch_testkit::daemon::{Access, EtcdConfig};

use crate::hosts::Hosts;
use crate::manifests::{hello, web};

fn one_node_joins(hosts: &Hosts, store: &str) {
    let manifest = hosts.write(&web(1, &hello(&hosts.token))).display().to_string();
    let control_plane = hosts.start(0, "control-plane", &["control-plane", "--store", store, "-f", &manifest]);
    let state = hosts.file("state-a").display().to_string();
    let node = hosts.start(1, "a", &["node", "--name", "a", "--store", store, "--state-dir", &state]);
    hosts.until("the pod is ready", || node.has_said(&["pod shop/web-", "is ready at 10.244."]).then_some(()));
    let listed = hosts.ask(0, &["get", "pods", "-A", "--store", store]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("Running"), "{listed:?}");
    node.stop();
    control_plane.stop();
    assert!(hosts.processes().is_empty());
}

fn file(hosts: &Hosts, name: &str, text: &str) -> String {
    let path = hosts.file(name);
    fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[test]
fn control_plane_and_node_know_the_password_of_a_user() {
    let config = EtcdConfig { access: Access::Password("secret".to_owned()), ..EtcdConfig::default() };
    let hosts = Hosts::with("password", 2, config);
    let password = file(&hosts, "password", "secret\n");
    one_node_joins(&hosts, &format!("etcd://root@10.99.0.1:2379/shop?password-file={password}"));
}

#[test]
fn control_plane_and_node_show_a_certificate() {
    let config = EtcdConfig { access: Access::ClientCertificate, ..EtcdConfig::default() };
    let hosts = Hosts::with("certificate", 2, config);
    let certificates = hosts.etcd.certificates().expect("those that were asked for").clone();
    let files = format!(
        "ca={}&cert={}&key={}",
        file(&hosts, "authority.pem", &certificates.authority),
        file(&hosts, "client.pem", &certificates.client),
        file(&hosts, "client.key", &certificates.client_key)
    );
    one_node_joins(&hosts, &format!("etcds://10.99.0.1:2379/shop?{files}&server-name=localhost"));
}
