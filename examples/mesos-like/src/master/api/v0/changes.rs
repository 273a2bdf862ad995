//! Requests that change something, in the forms that the older endpoints have for them.

use http::StatusCode;
use serde_json::Value;

use crate::http::{Query, Refusal};
use crate::master::api::operator::{no_quota, on, set_quota};
use crate::master::api::route::Route;
use crate::master::desk::Decision;
use crate::wire::operator::QuotaRequest;
use crate::wire::scheduler::{Operation, OperationType, Reserve, Unreserve, Volumes};
use crate::wire::{AgentId, MachineId, MediaType, Message, Resource};

/// Whether a route is for changes only.
pub(super) fn is_change(route: Route) -> bool {
    matches!(
        route,
        Route::Teardown
            | Route::Reserve
            | Route::Unreserve
            | Route::CreateVolumes
            | Route::DestroyVolumes
            | Route::MachineDown
            | Route::MachineUp
    )
}

/// What is asked for, and the status of the answer when it is done.
pub(super) fn decision(
    route: Route,
    rest: &str,
    deletes: bool,
    body: &[u8],
) -> Result<(Decision, StatusCode), Refusal> {
    let decision = match route {
        Route::Teardown => {
            let form = form(body)?;
            let framework = form.get("frameworkId").filter(|id| !id.is_empty());
            let framework = framework.ok_or_else(|| Refusal::bad_request("Missing 'frameworkId' query parameter"))?;
            Decision::Teardown(framework.into())
        }
        Route::Reserve => resources(body, "resources", OperationType::Reserve, |operation, resources| {
            operation.reserve = Some(Reserve { source: Vec::new(), resources });
        })?,
        Route::Unreserve => resources(body, "resources", OperationType::Unreserve, |operation, resources| {
            operation.unreserve = Some(Unreserve { resources });
        })?,
        Route::CreateVolumes => resources(body, "volumes", OperationType::Create, |operation, volumes| {
            operation.create = Some(Volumes { volumes });
        })?,
        Route::DestroyVolumes => resources(body, "volumes", OperationType::Destroy, |operation, volumes| {
            operation.destroy = Some(Volumes { volumes });
        })?,
        Route::MachineDown => Decision::MachinesDown(array::<MachineId>(body, "MachineID")?),
        Route::MachineUp => Decision::MachinesUp(array::<MachineId>(body, "MachineID")?),
        Route::Weights => Decision::Weights(array(body, "WeightInfo")?),
        Route::MaintenanceSchedule => Decision::Schedule(decoded(body, "Schedule")?),
        Route::Quota if deletes && rest.is_empty() => {
            return Err(Refusal::bad_request("Expecting the role behind the path, as in /quota/dev"));
        }
        Route::Quota if deletes => no_quota(rest.to_owned()),
        _ => set_quota(decoded::<QuotaRequest>(body, "QuotaRequest")?)?,
    };
    let status = match decision {
        Decision::Resources(..) => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    Ok((decision, status))
}

fn resources(
    body: &[u8],
    name: &str,
    kind: OperationType,
    say: impl FnOnce(&mut Operation, Vec<Resource>),
) -> Result<Decision, Refusal> {
    let form = form(body)?;
    let field =
        |name: &str| form.get(name).ok_or_else(|| Refusal::bad_request(format!("Missing '{name}' query parameter")));
    let agent = form.get("slaveId").or(form.get("agentId"));
    let agent: AgentId = agent.map_or_else(|| field("slaveId"), Ok)?.into();
    let resources = array(field(name)?.as_bytes(), "Resource")?;
    Ok(on(agent, kind, |operation| say(operation, resources)))
}

fn form(body: &[u8]) -> Result<Query, Refusal> {
    let text =
        std::str::from_utf8(body).map_err(|_| Refusal::bad_request("Unable to decode query string: no UTF-8"))?;
    Ok(Query::of(text.trim()))
}

fn array<T: Message>(text: &[u8], name: &'static str) -> Result<Vec<T>, Refusal> {
    let wrong =
        |error: &dyn std::fmt::Display| Refusal::bad_request(format!("Failed to parse body into JSON: {error}"));
    match serde_json::from_slice(text).map_err(|error| wrong(&error))? {
        Value::Array(all) => {
            let one = |value: Value| decoded(&serde_json::to_vec(&value).map_err(|error| wrong(&error))?, name);
            all.into_iter().map(one).collect()
        }
        _ => Err(wrong(&format!("it is no array of {name}"))),
    }
}

fn decoded<T: Message>(text: &[u8], name: &'static str) -> Result<T, Refusal> {
    MediaType::Json.decode(text, name).map_err(|error| Refusal::bad_request(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(route: Route, rest: &str, deletes: bool, body: &str) -> Result<(Decision, u16), String> {
        let asked = decision(route, rest, deletes, body.as_bytes());
        asked.map(|(decision, status)| (decision, status.as_u16())).map_err(|refusal| refusal.message)
    }

    #[test]
    fn each_form_says_what_is_to_be_done() {
        let (teardown, status) = asked(Route::Teardown, "", false, "frameworkId=M-0000").expect("a form");
        assert_eq!((teardown, status), (Decision::Teardown("M-0000".into()), 200));
        let body = "slaveId=M-S0&resources=%5B%7B%22name%22%3A%22cpus%22%2C%22type%22%3A%22SCALAR%22%2C\
                    %22scalar%22%3A%7B%22value%22%3A1%7D%2C%22role%22%3A%22dev%22%7D%5D";
        let (reserve, status) = asked(Route::Reserve, "", false, body).expect("a form");
        let Decision::Resources(agent, operation) = reserve else { panic!("{reserve:?}") };
        let resources = operation.reserve.expect("a reservation").resources;
        assert_eq!((agent, resources[0].role.as_deref(), status), ("M-S0".into(), Some("dev"), 202));
        let (weights, _) = asked(Route::Weights, "", false, r#"[{"role":"dev","weight":"2.5"}]"#).expect("JSON");
        assert!(matches!(weights, Decision::Weights(all) if all[0].weight == 2.5));
        let (machines, _) = asked(Route::MachineDown, "", false, r#"[{"hostname":"h"}]"#).expect("JSON");
        assert!(matches!(machines, Decision::MachinesDown(all) if all.len() == 1));
        let body = r#"{"role":"dev","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":4}}]}"#;
        let (quota, _) = asked(Route::Quota, "", false, body).expect("JSON");
        assert!(
            matches!(&quota, Decision::Quotas { quotas, force: false } if quotas[0].guarantees == quotas[0].limits)
        );
        let (none, _) = asked(Route::Quota, "eng/web", true, "").expect("a role");
        assert!(matches!(&none, Decision::Quotas { quotas, force: true } if quotas[0].role == "eng/web"));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (route, body, said) in [
            (Route::Teardown, "", "frameworkId"),
            (Route::Reserve, "resources=[]", "slaveId"),
            (Route::DestroyVolumes, "slaveId=s", "volumes"),
            (Route::Weights, "{}", "array of WeightInfo"),
            (Route::Weights, r#"[{"role":"dev"}]"#, "weight"),
            (Route::MachineUp, "x", "JSON"),
            (Route::MaintenanceSchedule, "[]", "Schedule"),
            (Route::Quota, "{}", "role"),
        ] {
            let error = asked(route, "", false, body).expect_err(body);
            assert!(error.contains(said), "{route:?} {body}: {error}");
        }
        assert!(asked(Route::Quota, "", true, "").is_err_and(|error| error.contains("/quota/dev")));
    }
}
