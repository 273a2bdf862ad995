//! Three-way merge: what the manifest says, without undoing what others filled in.

use serde_json::{Map, Value};

/// What `current` becomes when a manifest that said `before` now says `after`.
///
/// Fields that the manifest names become what it says; fields that it named before and does not any more are removed;
/// all others, filled in by the system or by controllers, stay. Lists are replaced whole.
pub(super) fn merge(before: &Value, after: &Value, current: &Value) -> Value {
    let (Some(now), Value::Object(wanted)) = (current.as_object(), after) else { return after.clone() };
    let empty = Map::new();
    let said = before.as_object().unwrap_or(&empty);
    let mut merged = now.clone();
    merged.retain(|field, _| wanted.contains_key(field) || !said.contains_key(field));
    for (field, value) in wanted {
        let old = merged.get(field).unwrap_or(&Value::Null);
        let value = merge(said.get(field).unwrap_or(&Value::Null), value, old);
        merged.insert(field.clone(), value);
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_manifest_wins_where_it_speaks_and_only_there() {
        let cases = [
            ("a changed field", json!({"a": 1}), json!({"a": 2}), json!({"a": 1, "b": 1}), json!({"a": 2, "b": 1})),
            ("a field taken out", json!({"a": 1}), json!({}), json!({"a": 1, "b": 1}), json!({"b": 1})),
            ("a field never said", json!({}), json!({}), json!({"ip": "x"}), json!({"ip": "x"})),
            (
                "deeper",
                json!({"s": {"a": 1}}),
                json!({"s": {"c": 3}}),
                json!({"s": {"a": 1, "b": 2}}),
                json!({"s": {"b": 2, "c": 3}}),
            ),
            (
                "a list is one value",
                json!({"l": [1, 2]}),
                json!({"l": [2]}),
                json!({"l": [1, 2, 3]}),
                json!({"l": [2]}),
            ),
            ("another type", json!({"a": {"b": 1}}), json!({"a": 1}), json!({"a": {"b": 1}}), json!({"a": 1})),
            ("drift is put right", json!({"a": 1}), json!({"a": 1}), json!({"a": 5}), json!({"a": 1})),
        ];
        for (what, before, after, current, merged) in cases {
            assert_eq!(merge(&before, &after, &current), merged, "{what}");
        }
    }
}
