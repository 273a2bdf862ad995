//! What holds of any app, and of any JSON.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::marathon::model::*;

fn ids() -> impl Strategy<Value = AppId> {
    "(/[a-z]([a-z0-9-]{0,4}[a-z0-9])?){1,3}".prop_map(|id| id.parse().expect("an id"))
}

/// What is run: a command line, arguments, or an image with either or nothing.
fn programs() -> impl Strategy<Value = (Option<String>, Option<Vec<String>>, Option<Docker>)> {
    let line = || "[a-z]{1,5}( [a-z$]{1,4}){0,2}";
    let image = || "[a-z]{1,4}(:[0-9])?".prop_map(|image| Docker { image, ..Docker::default() });
    prop_oneof![
        line().prop_map(|line| (Some(line), None, None)),
        vec("[a-z/]{1,4}", 1..3).prop_map(|args| (None, Some(args), None)),
        (option::of(line()), image()).prop_map(|(line, image)| (line, None, Some(image))),
        (vec("[a-z -]{0,4}", 1..3), image()).prop_map(|(args, image)| (None, Some(args), Some(image))),
    ]
}

/// Ports with numbers and names of which none is there twice.
fn ports() -> impl Strategy<Value = Vec<(u16, Option<String>, String)>> {
    let protocol = prop_oneof![Just("tcp"), Just("udp"), Just("udp,tcp")].prop_map(str::to_owned);
    vec((any::<bool>(), any::<bool>(), protocol), 0..4).prop_map(|all| {
        let one = |(index, (numbered, named, protocol)): (u16, (bool, bool, String))| {
            (if numbered { 8000 + index } else { 0 }, named.then(|| format!("port-{index}")), protocol)
        };
        (0..).zip(all).map(one).collect()
    })
}

fn constraints() -> impl Strategy<Value = Constraint> {
    let of = |operator: Operator, value: BoxedStrategy<Option<String>>| {
        ("[a-z@]{1,6}", value).prop_map(move |(field, value)| Constraint { field, operator, value })
    };
    let number = || "[1-9][0-9]?".prop_map(Some).boxed();
    prop_oneof![
        of(Operator::Unique, Just(None).boxed()),
        of(Operator::Cluster, Just(None).boxed()),
        of(Operator::GroupBy, prop_oneof![Just(None).boxed(), number()].boxed()),
        of(Operator::MaxPer, number()),
        of(Operator::Like, "[a-z]{0,3}(\\.\\*)?".prop_map(Some).boxed()),
        of(Operator::Unlike, "[a-z]{0,3}".prop_map(Some).boxed()),
        of(Operator::Is, Just(Some("one".to_owned())).boxed()),
    ]
}

fn texts() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[A-Za-z_.]{1,5}", "\\PC{0,6}", 0..3)
}

/// All of an app that does not depend on the rest.
fn plain_apps() -> impl Strategy<Value = App> {
    let program = is(body(json!({})));
    let amounts = (0..100_u32, 0.0..64.0, 0.0..1e6, 0.0..1e6, 0..8_u32);
    let backoff = (0.0..100.0, 1.0..3.0, 0.0..1e4, 0.0..=1.0, 0.0..=1.0);
    let places = (vec(constraints(), 0..3), option::of(vec("[a-z]{1,3}|\\*", 1..3)), option::of("[a-z]{1,4}"));
    let unreachable = prop_oneof![
        Just(Unreachable::Disabled(Disabled::Disabled)),
        (0..100_u64, 100..200_u64).prop_map(|(inactive_after_seconds, expunge_after_seconds)| {
            Unreachable::Replaced { inactive_after_seconds, expunge_after_seconds }
        }),
    ];
    let rest = (texts(), texts(), any::<bool>(), 0..100_u64, unreachable, any::<bool>());
    (amounts, backoff, places, rest).prop_map(move |(amounts, backoff, places, rest)| {
        let selection = if rest.5 { KillSelection::OldestFirst } else { KillSelection::YoungestFirst };
        App {
            instances: amounts.0,
            cpus: amounts.1,
            mem: amounts.2,
            disk: amounts.3,
            gpus: amounts.4,
            backoff_seconds: backoff.0,
            backoff_factor: backoff.1,
            max_launch_delay_seconds: backoff.2,
            upgrade_strategy: UpgradeStrategy { minimum_health_capacity: backoff.3, maximum_over_capacity: backoff.4 },
            constraints: places.0,
            accepted_resource_roles: places.1.map(|roles| roles.into_iter().collect::<BTreeSet<_>>()),
            role: places.2,
            env: rest.0,
            labels: rest.1,
            require_ports: rest.2,
            task_kill_grace_period_seconds: rest.3,
            unreachable_strategy: rest.4,
            kill_selection: selection,
            ..program.clone()
        }
    })
}

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([("VIP_0".to_owned(), "/web:80".to_owned())])
}

/// Gives an app ports, in the agent's network or in one of its own, and a look at the first of them.
fn with_ports(app: App, ports: Vec<(u16, Option<String>, String)>, mode: NetworkMode) -> App {
    let first = (!ports.is_empty()).then(|| json!({"protocol": "TCP", "portIndex": 0, "intervalSeconds": 5}));
    let first = first.map(|check| serde_json::from_value(check).expect("a health check"));
    let name = (mode == NetworkMode::Container).then(|| "net".to_owned());
    let app = App { health_checks: first.into_iter().collect(), ..app };
    if mode == NetworkMode::Host {
        let definition = |(port, name, protocol)| PortDefinition { port, protocol, name, labels: BTreeMap::default() };
        return App { port_definitions: Some(ports.into_iter().map(definition).collect()), ..app };
    }
    let mapping = |(index, (port, name, protocol)): (u16, (u16, _, _))| PortMapping {
        container_port: 80 + index,
        host_port: if mode == NetworkMode::Bridge || port != 0 { Some(port) } else { None },
        service_port: port,
        protocol,
        name,
        labels: labels(),
    };
    let mut container = app.container.clone().unwrap_or_default();
    container.port_mappings = (0..).zip(ports).map(mapping).collect();
    let networks = vec![Network { mode, name, labels: BTreeMap::new() }];
    App { container: Some(container), networks, port_definitions: None, ..app }
}

/// Gives an app a container, with a disk that outlives it or a folder of the agent's.
fn with_container(app: App, docker: Option<Docker>, size: Option<f64>, folder: bool, kind: ContainerKind) -> App {
    let kind = if docker.is_some() { kind } else { ContainerKind::Mesos };
    let volume = |path: &str| Volume {
        container_path: path.to_owned(),
        host_path: None,
        persistent: None,
        mode: VolumeMode::Ro,
    };
    let disk = size.map(|size| Volume { persistent: Some(Persistent { size, kind: None }), ..volume("data") });
    let folder = folder.then(|| Volume { host_path: Some("/srv".to_owned()), ..volume("/a") });
    if docker.is_none() && disk.is_none() && folder.is_none() {
        return app;
    }
    let volumes: Vec<_> = disk.into_iter().chain(folder).collect();
    let app = App { container: Some(Container { kind, docker, volumes, port_mappings: Vec::new() }), ..app };
    if !app.is_resident() {
        return app;
    }
    let residency =
        Residency { task_lost_behavior: TaskLost::RelaunchAfterTimeout, relaunch_escalation_timeout_seconds: 9 };
    App { residency: Some(residency), unreachable_strategy: Unreachable::Disabled(Disabled::Disabled), ..app }
}

fn apps() -> impl Strategy<Value = App> {
    let mode = prop_oneof![Just(NetworkMode::Host), Just(NetworkMode::Bridge), Just(NetworkMode::Container)];
    let kind = prop_oneof![Just(ContainerKind::Mesos), Just(ContainerKind::Docker)];
    let container = (option::of(1.0..1e6), any::<bool>(), kind);
    let fetch = ("[a-z/]{1,6}", any::<bool>(), any::<bool>(), any::<bool>(), option::of("[a-z]{1,3}"))
        .prop_map(|(uri, extract, executable, cache, dest_path)| Fetch { uri, extract, executable, cache, dest_path });
    (ids(), programs(), plain_apps(), ports(), mode, container, vec(fetch, 0..2)).prop_map(
        |(id, (cmd, args, docker), plain, ports, mode, (size, folder, kind), fetch)| {
            let mode = if docker.is_some() { mode } else { NetworkMode::Host };
            let app = App { id, cmd, args, fetch, ..plain };
            with_ports(with_container(app, docker, size, folder, kind), ports, mode)
        },
    )
}

/// Any JSON, with names that mean something among others.
fn anything() -> impl Strategy<Value = Value> {
    let known: Vec<&str> = super::super::fields::APP.iter().map(|(name, _)| *name).collect();
    let inner = [
        "mode",
        "docker",
        "image",
        "network",
        "portMappings",
        "volumes",
        "persistent",
        "size",
        "value",
        "command",
        "protocol",
        "portIndex",
        "containerPort",
        "hostPort",
        "apps",
        "groups",
        "scaleBy",
        "discovery",
        "operator",
        "field",
    ];
    let name = prop_oneof![
        4 => proptest::sample::select(known),
        4 => proptest::sample::select(inner.to_vec()),
        1 => Just("other"),
    ];
    let words = [
        "BRIDGE",
        "USER",
        "NONE",
        "HOST",
        "container",
        "host",
        "COMMAND",
        "UNIQUE",
        "LIKE",
        "(",
        "/a",
        "a",
        "..",
        "disabled",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..4_u32).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(words.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => vec((name.clone(), inner), 0..6).prop_map(|all| all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

/// That it is an app like others, or refused at paths that begin with a slash.
fn is_judged<T>(result: Result<T, ReadError>) -> Option<T> {
    match result {
        Ok(read) => Some(read),
        Err(ReadError::Malformed(_)) => None,
        Err(ReadError::Invalid(invalid)) => {
            assert!(!invalid.details.is_empty());
            assert!(invalid.details.iter().all(|detail| detail.path.starts_with('/') && !detail.errors.is_empty()));
            None
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn an_app_that_was_written_is_read_as_the_same(app in apps()) {
        let written = write::json(&app);
        prop_assert_eq!(super::super::app(written.clone(), &AppId::root(), None), Ok(app.clone()));
        prop_assert_eq!(update(&app, written), Ok(app.clone()));
        prop_assert_eq!(update(&app, json!({})), Ok(app));
    }

    #[test]
    fn one_field_that_is_wrong_is_named_and_no_other(app in apps(), index in any::<proptest::sample::Index>()) {
        let mut written = write::json(&app);
        let names: Vec<String> = written.as_object().expect("an object").keys().cloned().collect();
        let name = index.get(&names);
        let is_answer = name == "version" || name == "versionInfo";
        // A form that no field has.
        written[name] = json!([[[]]]);
        let result = super::super::app(written, &AppId::root(), None);
        if is_answer {
            prop_assert!(result.is_ok());
        } else {
            let (paths, text) = wrong(result);
            let path = format!("/{name}");
            prop_assert!(!paths.is_empty() && paths.iter().all(|found| found.starts_with(&path)), "{}", text);
        }
    }

    #[test]
    fn an_app_takes_what_another_one_says_or_it_is_told_why_not(
        existing in apps(),
        other in apps(),
        taken in vec(any::<bool>(), 1..40),
    ) {
        let other = write::json(&other);
        let fields = other.as_object().into_iter().flatten().zip(taken.into_iter().cycle());
        let fields = fields.filter(|((name, _), taken)| *taken && *name != "id");
        let given: Value = fields.map(|((name, value), _)| (name.clone(), value.clone())).collect();
        if let Some(app) = is_judged(update(&existing, given.clone())) {
            let written = write::json(&app);
            for (name, value) in given.as_object().into_iter().flatten() {
                // Ports depend on the network, which the app may have already.
                let follows = ["ports", "portDefinitions", "container"].contains(&name.as_str());
                prop_assert!(follows || written[name] == *value, "{}: {} and {}", name, value, written[name]);
            }
            prop_assert_eq!(super::super::app(written, &AppId::root(), None), Ok(app));
        }
    }

    #[test]
    fn whatever_comes_is_judged(value in anything(), existing in apps()) {
        if let Some(app) = is_judged(super::super::app(value.clone(), &AppId::root(), Some(&existing.id))) {
            let written = write::json(&app);
            prop_assert_eq!(super::super::app(written, &AppId::root(), None), Ok(app));
        }
        if let Some(app) = is_judged(update(&existing, value.clone())) {
            let written = write::json(&app);
            prop_assert_eq!(super::super::app(written, &AppId::root(), None), Ok(app));
        }
        is_judged(group(value, &AppId::root(), None));
    }
}
