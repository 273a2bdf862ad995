//! Every rule of validation, by a good object that one change makes bad.

mod containers;
mod kinds;
mod names;
mod volumes;

use orch_core::kind::Object;
use orch_core::validation::Problems;
use serde_json::{Value, json};

/// A change of a good object: the pointer to the field, its new value, the path of the problem, and how it begins.
type Case<'a> = (&'a str, Value, &'a str, &'a str);

/// Checks that the good object has no problem, and that each change gives one at the path with the words.
fn assert_each_is_refused<T: Object>(good: &Value, cases: &[Case<'_>]) {
    assert_eq!(problems_of::<T>(good.clone()), "", "the object to change must be good");
    for (pointer, value, path, words) in cases {
        let mut bad = good.clone();
        set(&mut bad, pointer, value.clone());
        let (problems, wanted) = (problems_of::<T>(bad), format!("{path}: {words}"));
        assert!(problems.starts_with(&wanted), "{pointer} = {value}\n got: {problems}\nwant: {wanted}");
    }
}

fn problems_of<T: Object>(object: Value) -> String {
    let text = object.to_string();
    let object: T = serde_json::from_value(object).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut problems = Problems::default();
    object.validate(&mut problems);
    problems.into_result().err().map(|invalid| invalid.to_string()).unwrap_or_default()
}

/// Sets the value at a pointer, making the objects on the way.
fn set(mut at: &mut Value, pointer: &str, value: Value) {
    for part in pointer.split('/').skip(1) {
        at = match at {
            Value::Array(items) => &mut items[part.parse::<usize>().expect("an index")],
            other => &mut other[part],
        };
    }
    *at = value;
}

/// The cases with pointer and path in a common place, so that a table's rows can be short.
fn within<'a>(place: (&'a str, &'a str), rows: Vec<Case<'a>>) -> Vec<(String, Value, String, &'a str)> {
    let (pointer, path) = place;
    rows.into_iter().map(|(p, value, q, words)| (format!("{pointer}{p}"), value, format!("{path}{q}"), words)).collect()
}

fn assert_each_within_is_refused<T: Object>(good: &Value, place: (&str, &str), rows: Vec<Case<'_>>) {
    let rows = within(place, rows);
    let cases: Vec<Case<'_>> =
        rows.iter().map(|(p, value, q, words)| (p.as_str(), value.clone(), q.as_str(), *words)).collect();
    assert_each_is_refused::<T>(good, &cases);
}

fn pod_spec() -> Value {
    json!({"containers": [{
        "name": "web", "image": "web:1",
        "ports": [{"name": "http", "containerPort": 80}, {"name": "admin", "containerPort": 81}],
    }, {"name": "side", "command": ["side"]}]})
}

fn pod() -> Value {
    json!({"metadata": {"name": "web"}, "spec": pod_spec()})
}

fn deployment() -> Value {
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": pod_spec()});
    let spec = json!({"selector": {"matchLabels": {"app": "web"}}, "template": template});
    json!({"metadata": {"name": "web"}, "spec": spec})
}

fn service() -> Value {
    let ports = json!([{"name": "http", "port": 80}, {"name": "admin", "port": 81}]);
    json!({"metadata": {"name": "web"}, "spec": {"ports": ports}})
}
