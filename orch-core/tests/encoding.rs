//! What people see when an object's text is wrong: tables of (text, message).

use std::collections::BTreeMap;

use orch_core::encoding::{self, Kinds};
use orch_core::kind::{Kind, Object, Scope};
use orch_core::object::{ObjectMeta, Quantity};
use orch_core::validation::Problems;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    metadata: ObjectMeta,
    spec: TaskSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct TaskSpec {
    replicas: u32,
    paused: bool,
    mode: i64,
    policy: Option<Policy>,
    containers: Vec<Container>,
    limits: BTreeMap<String, Quantity>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Policy {
    Always,
    Never,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Container {
    name: String,
    #[serde(default)]
    image: String,
}

impl Object for Task {
    const KIND: Kind =
        Kind { api_version: "batch/v1", name: "Task", collection: "tasks.batch", scope: Scope::Namespaced };
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
    fn validate(&self, problems: &mut Problems) {
        if self.spec.replicas > 100 {
            problems.field("spec", |spec| spec.field("replicas", |it| it.report("must be at most 100")));
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    metadata: ObjectMeta,
}

impl Object for Machine {
    const KIND: Kind = Kind { api_version: "v1", name: "Machine", collection: "machines", scope: Scope::Cluster };
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

fn kinds() -> Kinds {
    Kinds::default().with::<Task>().with::<Machine>().in_namespace("default")
}

/// The text of a task around `spec`, which begins on line 5.
fn task(spec: &str) -> String {
    format!("apiVersion: batch/v1\nkind: Task\nmetadata: {{name: a}}\nspec:\n  {spec}\n")
}

#[test]
fn a_wrong_yaml_text_is_refused_by_line_and_path() {
    for (spec, message) in [
        (
            "replicas: three",
            "line 5, column 13: spec.replicas: expected a whole number from 0 to 4294967295, found \"three\"",
        ),
        (
            "replicas: -1",
            "line 5, column 13: spec.replicas: expected a whole number from 0 to 4294967295, found \"-1\"",
        ),
        (
            "replica: 1",
            "line 5, column 3: spec.replica: unknown field, did you mean \"replicas\"? \
          (fields here: replicas, paused, mode, policy, containers, limits)",
        ),
        ("paused: no", "line 5, column 11: spec.paused: expected true or false, found \"no\""),
        (
            "policy: Alway",
            "line 5, column 11: spec.policy: expected one of Always, Never, found \"Alway\"; \
          did you mean \"Always\"?",
        ),
        ("containers: {}", "line 5, column 15: spec.containers: expected a list, found an object"),
        ("containers:", "line 5, column 13: spec.containers: expected a list, found nothing"),
        ("containers: [5]", "line 5, column 16: spec.containers[0]: expected an object, found \"5\""),
        ("containers: [{image: x}]", "line 5, column 17: spec.containers[0]: missing field \"name\""),
        (
            "containers:\n  - name: a\n    imagee: b",
            "line 7, column 5: spec.containers[0].imagee: unknown field, \
          did you mean \"image\"? (fields here: name, image)",
        ),
        (
            "containers: [{name: 8080}]",
            "line 5, column 23: spec.containers[0].name: expected text, found 8080; \
          if it is meant as text, quote it: \"8080\"",
        ),
        (
            "limits: {a.b/c: true}",
            "line 5, column 12: spec.limits[\"a.b/c\"]: expected a quantity such as \"500m\", \
          \"2\" or \"1.5Gi\", found true",
        ),
        ("limits: {cpu: 1, cpu: 2}", "line 5, column 20: spec.limits: the field \"cpu\" is given twice"),
        ("replicas: 1\n  replicas: 2", "line 6, column 3: spec: the field \"replicas\" is given twice"),
        ("replicas: *x", "line 5, column 13: not valid YAML: alias references unknown anchor"),
    ] {
        let error = encoding::from_yaml::<Task>(&task(spec)).unwrap_err();
        assert_eq!(error.to_string(), message, "{spec}");
    }
}

#[test]
fn a_wrong_json_text_is_refused_by_line_and_path() {
    for (spec, message) in [
        (
            r#"{"replicas": -1}"#,
            "line 3, column 15: spec.replicas: expected a whole number from 0 to 4294967295, found -1",
        ),
        (
            r#"{"containers": [{"name": "a", "imagee": ""}]}"#,
            "line 3, column 38: spec.containers[0].imagee: unknown field, \
          did you mean \"image\"? (fields here: name, image)",
        ),
        (
            r#"{"limits": {"a.b/c": 1, "a.b/c": 2}}"#,
            "line 3, column 31: spec.limits: the field \"a.b/c\" is given twice",
        ),
        (r#"{"containers": null}"#, "line 3, column 19: spec.containers: expected a list, found null"),
        ("{", "line 3, column 1: not valid JSON: the text ends inside an object"),
    ] {
        let text = format!(
            "{{\"apiVersion\": \"batch/v1\", \"kind\": \"Task\",\n\"metadata\": {{\"name\": \"a\"}}, \"spec\":\n{spec}}}"
        );
        let text = if spec == "{" { text.trim_end_matches('}') } else { &text };
        assert_eq!(encoding::from_json::<Task>(text.as_bytes()).unwrap_err().to_string(), message, "{spec}");
    }
}

#[test]
fn api_version_and_kind_are_checked_wherever_they_stand() {
    let good = r#"{"metadata": {"name": "a"}, "kind": "Task", "spec": {}, "apiVersion": "batch/v1"}"#;
    let task: Task = encoding::from_json(good.as_bytes()).expect("a task");
    let written = encoding::to_json(&task).expect("text");
    assert!(written.starts_with(br#"{"apiVersion":"batch/v1","kind":"Task","metadata":{"name":"a"},"#));
    for (text, message) in [
        (
            r#"{"kind": "Task", "metadata": {}, "spec": {}}"#,
            "line 1, column 44: missing field \"apiVersion\", expected apiVersion: batch/v1",
        ),
        (
            r#"{"metadata": {}, "spec": {}, "apiVersion": "batch/v1", "kind": "Job"}"#,
            "line 1, column 68: kind: expected \"Task\", found \"Job\"",
        ),
        ("[]", "line 1: expected an object with apiVersion \"batch/v1\" and kind \"Task\", found a list"),
    ] {
        assert_eq!(encoding::from_json::<Task>(text.as_bytes()).unwrap_err().to_string(), message);
    }
}

#[test]
fn octal_modes_and_unquoted_quantities_mean_what_was_written() {
    let text = task("mode: 0755\n  limits: {cpu: 0.5, memory: 1Gi}");
    let read: Task = encoding::from_yaml(&text).expect("a task");
    assert_eq!((read.spec.mode, read.spec.limits["cpu"]), (0o755, Quantity::from_millis(500)));
}

#[test]
fn all_errors_of_a_manifest_are_told_at_once() {
    let text = "\
apiVersion: batch/v1
kind: Task
metadata: {name: a}
spec: {replicas: 500}
---
# nothing here
---
apiVersion: batch/v1
kind: Taks
---
a: b: c
---
apiVersion: batch/v1
kind: Task
metadata: {name: a}
spec: {replica: 1}
---
apiVersion: v1
kind: Machine
metadata: {name: m, namespace: x}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Machine, metadata: {name: one}, oops: 1}
- {apiVersion: v1, kind: Machine, metadata: {name: two}}
- {apiVersion: v1, kind: Machine, metadata: {name: two}}
";
    assert_eq!(
        kinds().read(text).unwrap_err().to_string(),
        "\
line 1: Task a: spec.replicas: must be at most 100
line 8: unknown kind batch/v1 Taks, did you mean \"batch/v1 Task\"? (kinds here: batch/v1 Task, v1 Machine)
line 11, column 5: not valid YAML: mapping values are not allowed in this context
line 16, column 8: spec.replica: unknown field, did you mean \"replicas\"? \
(fields here: replicas, paused, mode, policy, containers, limits)
line 18: Machine m: metadata: a Machine does not live in a namespace: remove metadata.namespace
line 25, column 58: items[0].oops: unknown field (fields here: metadata)
line 22: Machine two: already given at line 22: remove one of the two, or rename it"
    );
}

#[test]
fn a_text_made_to_exhaust_the_reader_is_refused() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (p, n) in ('a'..'i').zip('b'..='i') {
        bomb.push_str(&format!("{n}: &{n} [{}]\n", vec![format!("*{p}"); 10].join(", ")));
    }
    let indented: String = (0..1400).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    for (text, message) in [
        ("[".repeat(10_000_000), "too large: 10000000 bytes, at most 3145728 are allowed"),
        ("[".repeat(3_000_000), "line 1, column 33: nested too deep: at most 32 levels are allowed"),
        ("{a: ".repeat(250_000), "nested too deep"),
        (indented, "nested too deep"),
        (bomb, "refused to protect the reader: alias replay limit exceeded"),
        ("a\n---\n".repeat(500_000), "more errors follow that are not shown"),
    ] {
        let error = kinds().read(&text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let deep = encoding::from_json::<Task>("[".repeat(1_000_000).as_bytes()).unwrap_err().to_string();
    assert_eq!(deep, "line 1, column 128: nested too deep: at most 128 levels are allowed");
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in "\\PC*|[-\\[\\]{}:,&*!|>'\"%#a \n\t]{0,60}", bytes in any::<Vec<u8>>()) {
        let _ = (kinds().read(&text), encoding::from_yaml::<Task>(&text), encoding::from_json::<Task>(&bytes));
        let _ = kinds().decode("tasks.batch", &bytes);
    }

    #[test]
    fn no_slip_in_a_manifest_makes_a_reader_panic(at in 0_usize..120, cut in 0_usize..8, new in "[-\\[{}:,&*!|>'\"a1 \n]{0,4}") {
        let mut text = task("containers:\n  - {name: a, image: b}\n---\napiVersion: v1\nkind: Machine\nmetadata: {name: m}");
        let start = at.min(text.len());
        text.replace_range(start..(start + cut).min(text.len()), &new);
        let _ = kinds().read(&text);
    }
}
