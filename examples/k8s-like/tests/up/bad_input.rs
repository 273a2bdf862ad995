//! What a person sees when the manifest is wrong, and that the cluster goes on unharmed.

use crate::harness::{Place, get, web};

/// What is wrong, how it is made wrong, and what must be said.
type Case = (&'static str, fn(&str) -> String, &'static [&'static str]);

const CASES: &[Case] = &[
    (
        "unknown field",
        |web| web.replace("replicas:", "replica:"),
        &["web.yaml: line 9", "spec.replica", "did you mean \"replicas\""],
    ),
    ("wrong type", |web| web.replace("replicas: 2", "replicas: many"), &["web.yaml: line 9", "spec.replicas", "many"]),
    (
        "missing name",
        |web| web.replace("{name: web, namespace: shop}", "{namespace: shop}"),
        &["web.yaml: line", "name"],
    ),
    ("duplicate name", |web| format!("{web}---\n{web}"), &["web.yaml: line", "already given at line 1"]),
    (
        "selector that does not match",
        |web| web.replace("matchLabels: {app: web}", "matchLabels: {app: x}"),
        &["spec.selector", "app"],
    ),
    ("nothing", |_| String::new(), &["web.yaml: it holds no object"]),
    ("no YAML", |_| "{[}\n".to_owned(), &["web.yaml: line 1", "not valid YAML"]),
    ("alias bomb", |_| alias_bomb(), &["web.yaml: line", "refused to protect the reader"]),
    ("10 MB of nesting", |_| "[".repeat(10_000_000), &["web.yaml", "longer than"]),
    ("deep nesting", |_| "[".repeat(100_000), &["web.yaml: line 1", "nested too deep"]),
    (
        "namespace that is not there",
        |web| web.replace("name: shop}", "name: shup}").replace("namespace: shup", "namespace: shop"),
        &["namespace \"shop\" is not there"],
    ),
];

fn alias_bomb() -> String {
    let levels =
        (1..30).map(|level| format!("a{level}: &a{level} [{0}, {0}, {0}, {0}]\n", format_args!("*a{}", level - 1)));
    format!("a0: &a0 [x]\n{}", levels.collect::<String>())
}

#[test]
fn a_manifest_made_wrong_while_it_runs_is_explained_and_harms_nothing() {
    let place = Place::new("wrong");
    let good = web(&place.token, 2, "");
    place.write(&good);
    let mut up = place.up();
    let address = up.settles();
    let running = place.processes();
    for (what, spoil, said) in CASES {
        place.write(&spoil(&good));
        let heard = up.heard.len();
        up.hears(&["error:", "is not applied"]);
        let message = up.heard[heard..].join("\n");
        assert!(said.iter().all(|part| message.contains(part)), "{what}: {said:?} expected in:\n{message}");
    }
    assert_eq!(place.processes(), running, "what runs was not touched");
    get(&address).expect("and answers");
    up.stop();
}

#[test]
fn a_manifest_that_is_wrong_or_missing_from_the_start_starts_nothing() {
    let place = Place::new("nothing");
    let mut up = place.up();
    assert_eq!(up.ended(), Some(1));
    up.hears(&["web.yaml: cannot read it"]);
    place.write("kind: Pod\n");
    let mut up = place.up();
    assert_eq!(up.ended(), Some(1));
    up.hears(&["web.yaml", "apiVersion"]);
}

#[test]
fn a_pod_that_fits_nowhere_says_why_and_what_would_help() {
    let place = Place::new("fits");
    let text = web(&place.token, 1, "")
        .replace("          env:", "          resources: {requests: {cpu: 10k}}\n          env:");
    place.write(&text);
    let mut up = place.up();
    up.hears(&["FailedScheduling", "0/3 nodes are available", "insufficient cpu"]);
    place.write(&web(&place.token, 1, ""));
    up.hears(&["deployment shop/web is complete"]);
    up.stop();
}

#[test]
fn a_command_that_does_not_exist_says_so() {
    let place = Place::new("command");
    place.write(&web(&place.token, 1, "").replace("command: [k8s-like", "command: [no-such-program"));
    let mut up = place.up();
    up.hears(&["no-such-program"]);
    place.write(&web(&place.token, 1, ""));
    up.hears(&["deployment shop/web is complete"]);
    up.stop();
}

#[test]
fn a_port_in_use_is_told_by_the_program_and_the_pod_is_tried_again() {
    let place = Place::new("port");
    // Two containers of one pod share its address, so that the second cannot have the port.
    let text = web(&place.token, 1, "").replace(
        "---\napiVersion: v1\nkind: Service",
        &format!(
            "        - {{name: second, command: [k8s-like, hello-web, --text, {}]}}\n---\napiVersion: v1\nkind: Service",
            place.token
        ),
    );
    place.write(&text);
    let mut up = place.up();
    up.hears(&["was restarted", "exit code 1"]);
    up.stop();
}
