//! How it is known whether instances work and are ready.

use super::super::findings::Findings;
use super::ports;
use crate::marathon::model::{App, HealthCheck, HealthProtocol};

pub(super) fn check(app: &App, findings: &mut Findings) {
    if app.health_checks.len() > 1 {
        findings.add("/healthChecks", "the agent looks in one way alone: leave out the others");
    }
    for (index, check) in app.health_checks.iter().enumerate() {
        one(app, check, &format!("/healthChecks({index})"), findings);
    }
    readiness(app, findings);
}

fn one(app: &App, check: &HealthCheck, path: &str, findings: &mut Findings) {
    let at = |field: &str| format!("{path}/{field}");
    match check.protocol {
        HealthProtocol::Command => by_command(check, path, findings),
        HealthProtocol::Https | HealthProtocol::MesosHttps => {
            findings.add(&at("protocol"), "agents ask in the clear alone here: use HTTP, TCP, or a COMMAND that asks");
        }
        HealthProtocol::Tcp | HealthProtocol::MesosTcp if check.path.is_some() => {
            findings.add(&at("path"), "nothing is asked for by TCP: leave it out, or use HTTP");
        }
        _ => {}
    }
    if check
        .path
        .as_deref()
        .is_some_and(|path| path.contains(|letter: char| letter.is_whitespace() || letter.is_control()))
    {
        findings.add(&at("path"), "there are spaces in it: write them as %20");
    }
    if check.protocol != HealthProtocol::Command {
        if check.command.is_some() {
            findings.add(&at("command"), "it is run by the protocol COMMAND alone: leave it out");
        }
        by_port(app, check, path, findings);
    }
    for (field, seconds) in [("intervalSeconds", check.interval_seconds), ("timeoutSeconds", check.timeout_seconds)] {
        if seconds == 0 {
            findings.add(&at(field), "it is 1 or more");
        }
    }
}

fn by_command(check: &HealthCheck, path: &str, findings: &mut Findings) {
    match check.command.as_ref().map(|command| command.value.trim()) {
        None => findings.add(&format!("{path}/command"), "the protocol COMMAND needs it"),
        Some("") => findings.add(&format!("{path}/command"), "it is empty"),
        Some(_) => {}
    }
    for (field, is_there) in
        [("path", check.path.is_some()), ("port", check.port.is_some()), ("portIndex", check.port_index.is_some())]
    {
        if is_there {
            findings.add(&format!("{path}/{field}"), "the protocol COMMAND has none: leave it out");
        }
    }
}

fn by_port(app: &App, check: &HealthCheck, path: &str, findings: &mut Findings) {
    match (check.port, check.port_index) {
        (Some(_), Some(_)) => {
            findings.add(&format!("{path}/portIndex"), "there is a `port`, too: leave one of them out")
        }
        (Some(0), None) => findings.add(&format!("{path}/port"), "0 is no port"),
        (None, Some(index)) => {
            let is_known = findings.know_ports();
            let count = ports::count(app);
            if index >= count && is_known {
                findings
                    .add(&format!("{path}/portIndex"), format!("{index}: the app has {count} ports, counted from 0"));
            }
        }
        _ => {}
    }
}

fn readiness(app: &App, findings: &mut Findings) {
    if app.readiness_checks.len() > 1 {
        findings.add("/readinessChecks", "there may be one: leave out the others");
    }
    let is_known = findings.know_ports();
    for (index, check) in app.readiness_checks.iter().enumerate() {
        let at = |field: &str| format!("/readinessChecks({index})/{field}");
        if is_known && !ports::names_of(app).contains(&Some(check.port_name.as_str())) {
            findings.add(&at("portName"), format!("{:?} is the name of none of the app's ports", check.port_name));
        }
        if check.name.is_empty() {
            findings.add(&at("name"), "it is empty");
        }
        if check.path.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            findings.add(&at("path"), "there are spaces in it: write them as %20");
        }
        if check.interval_seconds == 0 {
            findings.add(&at("intervalSeconds"), "it is 1 or more");
        }
        if check.timeout_seconds == 0 || check.timeout_seconds > check.interval_seconds {
            findings.add(&at("timeoutSeconds"), "it is from 1 to `intervalSeconds`");
        }
        let statuses = &check.http_status_codes_for_ready;
        if statuses.is_empty() || statuses.iter().any(|status| !(100..600).contains(status)) {
            findings.add(&at("httpStatusCodesForReady"), "it is one or more statuses, each from 100 to 599");
        }
    }
}
