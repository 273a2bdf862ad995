//! What an instance is told by its environment.

use std::collections::BTreeMap;

use super::Launch;
use super::port::Port;
use crate::marathon::model::App;

/// The longest label that is told: environments have little room.
const LONGEST_LABEL: usize = 512;

/// The variables of an instance. What the app says itself has precedence.
pub(super) fn variables(app: &App, launch: &Launch<'_>, ports: &[Port<'_>]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    of_ports(ports, &mut all);
    of_labels(app, &mut all);
    let image = app.container.as_ref().and_then(|container| container.docker.as_ref()).map(|docker| &docker.image);
    for (name, value) in [
        ("HOST", launch.host.to_owned()),
        ("MESOS_TASK_ID", launch.task_id.to_owned()),
        ("MARATHON_INSTANCE_ID", launch.instance_id.to_owned()),
        ("MARATHON_APP_ID", app.id.to_string()),
        ("MARATHON_APP_VERSION", app.version.to_string()),
        ("MARATHON_APP_RESOURCE_CPUS", format!("{:?}", app.cpus)),
        ("MARATHON_APP_RESOURCE_MEM", format!("{:?}", app.mem)),
        ("MARATHON_APP_RESOURCE_DISK", format!("{:?}", app.disk)),
        ("MARATHON_APP_RESOURCE_GPUS", app.gpus.to_string()),
    ] {
        all.insert(name.to_owned(), value);
    }
    all.extend(image.map(|image| ("MARATHON_APP_DOCKER_IMAGE".to_owned(), image.clone())));
    all.extend(app.env.clone());
    all
}

fn of_ports(ports: &[Port<'_>], all: &mut BTreeMap<String, String>) {
    let numbers: Vec<String> = ports.iter().map(|port| port.reached_by().to_string()).collect();
    for (index, (port, number)) in ports.iter().zip(&numbers).enumerate() {
        all.insert(format!("PORT{index}"), number.clone());
        if port.declared != 0 {
            all.insert(format!("PORT_{}", port.declared), number.clone());
        }
        if let Some(name) = port.name {
            all.insert(format!("PORT_{}", as_variable(name)), number.clone());
        }
    }
    all.extend(numbers.first().map(|first| ("PORT".to_owned(), first.clone())));
    if !numbers.is_empty() {
        all.insert("PORTS".to_owned(), numbers.join(","));
    }
}

fn of_labels(app: &App, all: &mut BTreeMap<String, String>) {
    let short = |text: &str| text.len() < LONGEST_LABEL;
    let labels = app.labels.iter().filter(|(key, value)| short(key) && short(value) && !value.contains('\0'));
    let labels: BTreeMap<String, &String> = labels.map(|(key, value)| (as_variable(key), value)).collect();
    let names: Vec<&str> = labels.keys().map(String::as_str).collect();
    all.insert("MARATHON_APP_LABELS".to_owned(), names.join(" "));
    all.extend(labels.iter().map(|(name, value)| (format!("MARATHON_APP_LABEL_{name}"), (*value).clone())));
}

/// A name with nothing in it that names of variables do not have.
fn as_variable(name: &str) -> String {
    let mut variable = String::new();
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() {
            variable.push(letter.to_ascii_uppercase());
        } else if !variable.ends_with('_') {
            variable.push('_');
        }
    }
    variable
}
