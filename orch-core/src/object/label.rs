//! The rules of labels, annotations and metadata.

use std::collections::BTreeMap;

use super::metadata::{ObjectMeta, OwnerReference};
use crate::validation::{LABEL_MAX, Problems, is_canonical_ipv6, is_dns_label, is_dns_subdomain};

/// How many bytes the keys and values of an object's annotations may have together.
const ANNOTATIONS_MAX: usize = 256 * 1024;

/// Reports everything wrong with an object's metadata, at the paths under the present one: call it inside of
/// `problems.field("metadata", …)`. Whether the kind wants a namespace is the business of
/// [`Object::key`](crate::kind::Object::key).
pub fn validate_metadata(metadata: &ObjectMeta, problems: &mut Problems) {
    problems.field("name", |problems| match metadata.name.as_str() {
        "" => problems.report("must be given, for example \"web\""),
        name if !is_dns_subdomain(name) && !is_canonical_ipv6(name) => {
            problems.report(format!("must be a DNS subdomain, at most 253 of a-z, 0-9, '-' and '.', got {name:?}"))
        }
        _ => {}
    });
    if let Some(namespace) = metadata.namespace.as_deref().filter(|namespace| !is_dns_label(namespace)) {
        let message = format!("must be a DNS label, at most 63 of a-z, 0-9 and '-', got {namespace:?}");
        problems.field("namespace", |problems| problems.report(message));
    }
    problems.field("labels", |problems| validate_labels(&metadata.labels, problems));
    problems.field("annotations", |problems| validate_annotations(&metadata.annotations, problems));
    validate_owners(&metadata.owner_references, problems);
    problems.each("finalizers", &metadata.finalizers, |problems, name| validate_label_key(name, problems));
}

fn validate_owners(owners: &[OwnerReference], problems: &mut Problems) {
    problems.each("ownerReferences", owners, |problems, owner| {
        for (name, text) in [
            ("apiVersion", owner.api_version.as_str()),
            ("kind", &owner.kind),
            ("name", &owner.name),
            ("uid", owner.uid.as_str()),
        ] {
            if text.is_empty() {
                problems.field(name, |problems| problems.report("must not be empty"));
            }
        }
    });
    if owners.iter().filter(|owner| owner.controller == Some(true)).count() > 1 {
        let message = "must hold at most one owner with controller: true";
        problems.field("ownerReferences", |problems| problems.report(message));
    }
}

/// Reports labels that break the syntax of their keys or values.
pub(super) fn validate_labels(labels: &BTreeMap<String, String>, problems: &mut Problems) {
    for (key, value) in labels {
        problems.key(key, |problems| {
            validate_label_key(key, problems);
            validate_label_value(value, problems);
        });
    }
}

/// Reports annotations whose keys break the syntax, and too many of them. Their values are free.
pub(super) fn validate_annotations(annotations: &BTreeMap<String, String>, problems: &mut Problems) {
    for key in annotations.keys() {
        problems.key(key, |problems| validate_label_key(key, problems));
    }
    let size: usize = annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > ANNOTATIONS_MAX {
        problems.report(format!("must have at most {ANNOTATIONS_MAX} bytes together, got {size}"));
    }
}

/// Reports text that is no key of a label: a name, or a DNS subdomain, `/` and a name.
pub(super) fn validate_label_key(key: &str, problems: &mut Problems) {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if !is_name(name) || !prefix.is_none_or(is_dns_subdomain) {
        problems.report(format!(
            "must be a name such as \"app\" or \"example.org/app\": at most 63 of A-Z, a-z, 0-9, '-', '_' and '.', \
             with a letter or digit at both ends, after an optional DNS subdomain and '/', got {key:?}"
        ));
    }
}

/// Reports text that is no value of a label: nothing, or a name.
pub(super) fn validate_label_value(value: &str, problems: &mut Problems) {
    if !value.is_empty() && !is_name(value) {
        problems.report(format!(
            "must be empty or at most 63 of A-Z, a-z, 0-9, '-', '_' and '.', with a letter or digit at both ends, \
             got {value:?}"
        ));
    }
}

fn is_name(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.len() <= LABEL_MAX && text.bytes().all(inner) && edge(text.as_bytes().first()) && edge(text.as_bytes().last())
}
