//! How pods find names.

use orch_core::object::Pod;
use serde_json::{Value, json};

use super::{assert_each_within_is_refused, pod, problems_of, set};

fn with(dns: &Value) -> Value {
    let mut pod = pod();
    set(&mut pod, "/spec/dnsConfig", dns.clone());
    pod
}

#[test]
fn a_bad_configuration_of_names_is_refused() {
    let option = |name: &str, value: &str| json!([{"name": name, "value": value}]);
    let domain = format!("{}.org", "a".repeat(60));
    let (at_most, too_long) = (vec![domain.clone(); 31], vec![domain; 32]);
    assert_eq!(problems_of::<Pod>(with(&json!({"searches": at_most}))), "");
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/dnsConfig", "spec.dnsConfig"),
        vec![
            ("/nameservers", json!(["::1", "1.1.1.1", "::2", "::3"]), ".nameservers", "must have at most 3 addresses"),
            ("/nameservers", json!(["::1", "dns"]), ".nameservers[1]", "must be an address, as"),
            ("/nameservers", json!(["fe80::1%eth0"]), ".nameservers[0]", "must be an address, as"),
            ("/searches", json!(vec!["a"; 33]), ".searches", "must have at most 32 domains, got 33"),
            ("/searches", json!(too_long), ".searches", "must have at most 2048 characters in all, got 2079"),
            ("/searches", json!(["a b"]), ".searches[0]", "must be a domain in lower case"),
            ("/searches", json!(["a\nnameserver 6.6.6.6"]), ".searches[0]", "must be a domain in lower case"),
            ("/searches", json!([""]), ".searches[0]", "must be a domain in lower case"),
            ("/searches", json!(["A.org"]), ".searches[0]", "must be a domain in lower case"),
            ("/searches", json!(["a.."]), ".searches[0]", "must be a domain in lower case"),
            ("/options", json!([{}]), ".options[0].name", "must be given"),
            ("/options", option("", "1"), ".options[0].name", "must be given"),
            ("/options", option("a b", "1"), ".options[0].name", "must be a word"),
            ("/options", option("ndots", "1\n"), ".options[0].value", "must be a word"),
        ],
    );
}

#[test]
fn domains_may_be_absolute_and_have_underscores_and_options_need_no_value() {
    let dns = json!({"searches": [".", "a.org.", "_tcp.a_b.org"], "options": [{"name": "rotate", "value": null}]});
    assert_eq!(problems_of::<Pod>(with(&dns)), "");
    assert_eq!(problems_of::<Pod>(with(&json!({"nameservers": null, "searches": null, "options": null}))), "");
}

#[test]
fn a_pod_that_asks_nobody_else_names_somebody() {
    let mut pod = pod();
    set(&mut pod, "/spec/dnsPolicy", json!("None"));
    assert!(problems_of::<Pod>(pod.clone()).starts_with("spec.dnsConfig: must be given when dnsPolicy is None"));
    set(&mut pod, "/spec/dnsConfig", json!({"searches": ["a"]}));
    assert!(problems_of::<Pod>(pod.clone()).starts_with("spec.dnsConfig.nameservers: must have at least one address"));
    set(&mut pod, "/spec/dnsConfig", json!({"nameservers": ["1.1.1.1"]}));
    assert_eq!(problems_of::<Pod>(pod), "");
}

#[test]
fn a_bad_alias_is_refused() {
    let alias = |ip: &str, name: &str| json!([{"ip": ip, "hostnames": [name]}]);
    assert_each_within_is_refused::<Pod>(
        &pod(),
        ("/spec/hostAliases", "spec.hostAliases[0]"),
        vec![
            ("", alias("db", "db"), ".ip", "must be an address"),
            ("", json!([{"ip": "", "hostnames": ["db"]}]), ".ip", "must be an address"),
            ("", alias("10.0.0.1", "db\n10.0.0.2 web"), ".hostnames[0]", "must be a DNS subdomain"),
            ("", alias("10.0.0.1", "DB"), ".hostnames[0]", "must be a DNS subdomain"),
        ],
    );
}
