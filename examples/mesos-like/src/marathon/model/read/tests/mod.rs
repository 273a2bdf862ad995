//! What people write is read as it is meant, or refused with all that is wrong.

mod apps;
mod groups;
mod older;
mod properties;
mod refused;
mod updated;

use serde_json::{Value, json};

use super::*;

/// An app that runs, with these fields besides.
fn body(fields: Value) -> Value {
    let mut body = json!({"id": "/shop/web", "cmd": "sleep 1"});
    for (name, value) in fields.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

fn read(body: Value) -> Result<App, ReadError> {
    app(body, &AppId::root(), None)
}

fn is(body: Value) -> App {
    read(body.clone()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

/// The paths of what is wrong, and all that is said of it.
fn wrong<T>(result: Result<T, ReadError>) -> (Vec<String>, String) {
    let Err(ReadError::Invalid(invalid)) = result else { panic!("it was taken, or was no object") };
    let text = invalid.to_string();
    (invalid.details.into_iter().map(|detail| detail.path).collect(), text)
}

/// That something is refused for one reason alone.
fn refused(body: &Value, path: &str, hint: &str) {
    let (paths, text) = wrong(read(body.clone()));
    assert_eq!(paths, [path], "{body}: {text}");
    assert!(text.contains(hint), "{body}: {text} lacks {hint}");
}
