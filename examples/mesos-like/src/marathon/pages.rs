//! Marathon as people see it in a browser: apps with the health of their instances, deployments, and what waits.

use orch_core::clock::Timestamp;

use super::core::{Deployment, Instance, Marathon, Waiting};
use super::model::{App, AppId, Version};
use crate::pages::{
    Address, Column, Html, Page, Query, Share, Table, Tone, amount, badge, bar, bullets, facts, id, link, muted, note,
    section, time,
};

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All apps, or one.
    Apps,
    /// What is being deployed.
    Deployments,
    /// What waits, and why.
    Queue,
}

/// A page; the query says of which app.
pub fn page(marathon: &Marathon, kind: Kind, query: &Query, masters: &[String], now: Version) -> Page {
    let now = Timestamp::from_millisecond(now.0).unwrap_or_default();
    let menu = [
        ("Apps", Address::here("/ui/")),
        ("Deployments", Address::here("/ui/deployments")),
        ("Queue", Address::here("/ui/queue")),
    ];
    let named = query.get("id");
    let (title, here, body) = match (kind, named) {
        (Kind::Apps, Some(name)) => {
            let here = Address::here("/ui/").with("id", name);
            let app = name.parse::<AppId>().ok().and_then(|id| marathon.root().apps.get(&id));
            let body = app.map_or_else(
                || note("There is no such app. It may have been deleted."),
                |app| one(marathon, app, masters, now),
            );
            (format!("App {name}"), here, body)
        }
        (Kind::Apps, None) => ("Apps".to_owned(), menu[0].1.clone(), all(marathon, now)),
        (Kind::Deployments, _) => ("Deployments".to_owned(), menu[1].1.clone(), deployments(marathon, now)),
        (Kind::Queue, _) => ("Queue".to_owned(), menu[2].1.clone(), queue(marathon, now)),
    };
    Page::new(title, "marathon").menu(menu).refreshing(&here, query).part(body)
}

fn all(marathon: &Marathon, now: Timestamp) -> Html {
    let mut table = Table::new([
        Column::text("App"),
        Column::text("Status"),
        Column::number("Running"),
        Column::text("Health"),
        Column::number("CPUs"),
        Column::number("Memory"),
        Column::text("Changed"),
    ]);
    for (name, app) in &marathon.root().apps {
        let running = marathon.instances_of(name).filter(|instance| instance.is_running()).count();
        table.row([
            app_link(name),
            status(marathon, app, now),
            format!("{running} of {}", app.instances).into(),
            health(marathon, app),
            amount("cpus", app.cpus * f64::from(app.instances)).into(),
            amount("mem", app.mem * f64::from(app.instances)).into(),
            at(app.version, now),
        ]);
    }
    section("All apps", table.or("No app was created yet: POST one to /v2/apps."))
}

fn app_link(id: &AppId) -> Html {
    link(&Address::here("/ui/").with("id", id.as_str()), id.as_str())
}

fn at(version: Version, now: Timestamp) -> Html {
    Timestamp::from_millisecond(version.0).map_or_else(|_| Html::default(), |at| time(at, now))
}

fn each(app: &App, name: &str) -> String {
    let value = match name {
        "cpus" => app.cpus,
        "mem" => app.mem,
        _ => app.disk,
    };
    format!("{} {name}", amount(name, value))
}

/// How an app is, in a word.
fn status(marathon: &Marathon, app: &App, now: Timestamp) -> Html {
    let is_deployed = marathon.deployments().values().any(|deployment| deployment.apps.contains_key(&app.id));
    let waiting = marathon.waiting().get(&app.id);
    let put_off = waiting.and_then(|waiting| marathon.put_off(waiting)).is_some_and(|until| until > now.into());
    match (put_off, waiting, is_deployed, app.instances) {
        (true, ..) => badge(Tone::Bad, "delayed"),
        (_, Some(_), ..) => badge(Tone::Busy, "waiting"),
        (.., true, _) => badge(Tone::Busy, "deploying"),
        (.., 0) => badge(Tone::Quiet, "suspended"),
        _ => badge(Tone::Good, "running"),
    }
}

/// How many instances serve, run without it being known, and do not work, of those that shall be.
fn health(marathon: &Marathon, app: &App) -> Html {
    let (mut serving, mut unhealthy, mut others) = (0_u32, 0_u32, 0_u32);
    for instance in marathon.instances_of(&app.id) {
        match instance.healthy {
            Some(false) => unhealthy += 1,
            _ if instance.serves(app) => serving += 1,
            _ => others += 1,
        }
    }
    let words = format!("{serving} of {} serve, {unhealthy} do not work, {others} are on their way", app.instances);
    let whole = f64::from(app.instances.max(serving + unhealthy + others));
    let parts = [(Share::Good, serving), (Share::Bad, unhealthy), (Share::Offered, others)];
    bar(&words, whole, &parts.map(|(share, count)| (share, f64::from(count))))
}

fn one(marathon: &Marathon, app: &App, masters: &[String], now: Timestamp) -> Html {
    let command = app.cmd.clone().or_else(|| app.args.as_ref().map(|args| args.join(" ")));
    let image =
        app.container.as_ref().and_then(|container| container.docker.as_ref()).map(|docker| docker.image.clone());
    let mut about = vec![
        ("Status", status(marathon, app, now)),
        ("Health", health(marathon, app)),
        ("Instances", app.instances.to_string().into()),
        ("Each has", ["cpus", "mem", "disk"].map(|name| each(app, name)).join(", ").into()),
    ];
    about.extend(command.map(|command| ("Command", Html::from(command))));
    about.extend(image.map(|image| ("Image", Html::from(image))));
    about.push(("Version", id(&app.version.to_string())));
    let ports: Vec<String> = app.service_ports().iter().map(u16::to_string).collect();
    if !ports.is_empty() {
        about.push(("Service ports", ports.join(", ").into()));
    }
    let mut page = facts(about);
    if let Some(waiting) = marathon.waiting().get(&app.id) {
        page = page.and(section("Why instances wait", why(marathon, waiting, now)));
    }
    if let Some(failure) = marathon.failure(&app.id) {
        page = page.and(section(
            "Last failure",
            facts([
                ("When", at(failure.timestamp, now)),
                ("State", badge(Tone::Bad, &failure.state)),
                ("Message", failure.message.as_str().into()),
                ("Task", id(&failure.task_id)),
                ("Host", failure.host.as_str().into()),
            ]),
        ));
    }
    page.and(section("Instances", instances(marathon, app, masters, now)))
}

fn instances(marathon: &Marathon, app: &App, masters: &[String], now: Timestamp) -> Html {
    let mut table = Table::new([
        Column::text("Task"),
        Column::text("State"),
        Column::text("Health"),
        Column::text("Host"),
        Column::text("Ports"),
        Column::text("Version"),
        Column::text("Started"),
    ]);
    for instance in marathon.instances_of(&app.id).filter(|instance| instance.has_task()) {
        let ports: Vec<String> = instance.ports.iter().map(u16::to_string).collect();
        let is_old = instance.config != app.version_info.last_config_change_at;
        let version = if is_old { badge(Tone::Quiet, "old") } else { badge(Tone::Good, "current") };
        table.row([
            id(&instance.task_id),
            state(instance),
            works(instance, app),
            host(instance, masters),
            ports.join(", ").into(),
            version,
            instance.started_at.map_or_else(|| muted("not yet"), |started| at(started, now)),
        ]);
    }
    table.or("None runs.")
}

/// Where an instance is, and where the master shows that, with the instance's sandbox.
fn host(instance: &Instance, masters: &[String]) -> Html {
    let host = instance.host.as_str();
    match masters.first().and_then(|master| master.parse().ok()) {
        Some(master) => link(&Address::at(master, "/pages/agents").with("id", &instance.agent_id), host),
        None => host.into(),
    }
}

fn state(instance: &Instance) -> Html {
    let tone = match instance.task_state() {
        "TASK_RUNNING" => Tone::Good,
        "TASK_UNREACHABLE" => Tone::Bad,
        _ => Tone::Busy,
    };
    badge(tone, instance.task_state())
}

fn works(instance: &Instance, app: &App) -> Html {
    match (instance.healthy, app.health_checks.is_empty()) {
        (_, true) => muted("nobody looks"),
        (Some(true), _) if !instance.ready => badge(Tone::Busy, "not ready"),
        (Some(true), _) => badge(Tone::Good, "healthy"),
        (Some(false), _) => badge(Tone::Bad, "unhealthy"),
        (None, _) => badge(Tone::Quiet, "unknown"),
    }
}

fn deployments(marathon: &Marathon, now: Timestamp) -> Html {
    let mut table = Table::new([
        Column::text("Deployment"),
        Column::text("Began"),
        Column::text("Step"),
        Column::text("Now"),
        Column::text("Apps"),
    ]);
    for deployment in marathon.deployments().values() {
        table.row([
            id(&deployment.id),
            at(deployment.version, now),
            format!("{} of {}", deployment.current + 1, deployment.steps.len()).into(),
            doing(deployment),
            deployment.apps.keys().map(|app| app_link(app).and(" ")).collect(),
        ]);
    }
    section("Under way", table.or("Everything is as it shall be."))
}

fn doing(deployment: &Deployment) -> Html {
    let word = |action: &super::core::Action| Html::from(format!("{:?} {}", action.action, action.app));
    bullets(deployment.actions().iter().map(word))
}

fn queue(marathon: &Marathon, now: Timestamp) -> Html {
    let mut table =
        Table::new([Column::text("App"), Column::number("Instances"), Column::text("Since"), Column::text("Why")]);
    for (app, waiting) in marathon.waiting() {
        table.row([
            app_link(app),
            waiting.count.to_string().into(),
            at(waiting.since, now),
            why(marathon, waiting, now),
        ]);
    }
    section("Instances that wait for a place", table.or("Nothing waits."))
}

fn why(marathon: &Marathon, waiting: &Waiting, now: Timestamp) -> Html {
    if let Some(until) = marathon.put_off(waiting).filter(|until| *until > Version::from(now)) {
        return Html::from("it failed, and is tried again ").and(at(until, now));
    }
    let (reasons, looked) = (waiting.reasons(), waiting.last.len());
    if reasons.is_empty() {
        return muted("no offers yet");
    }
    let line = |(reason, count): (&&str, &usize)| Html::from(format!("{count} of {looked} offers: {reason}"));
    bullets(reasons.iter().map(line))
}

#[cfg(test)]
mod tests {
    use orch_core::entropy::SeededEntropy;
    use serde_json::json;

    use super::*;
    use crate::marathon::core::tests::settings;

    #[test]
    fn apps_are_shown_whatever_they_say() {
        let mut marathon = Marathon::new(settings(), SeededEntropy::new(1));
        let body = json!({ "id": "/shop/web", "cmd": "</dd><script>alert(1)</script>", "instances": 2 });
        marathon.create(body, false, Version(1_000)).expect("created");
        let show = |kind, query: &str| {
            page(&marathon, kind, &Query::of(query), &["127.0.0.1:5050".to_owned()], Version(61_000)).text()
        };
        let apps = show(Kind::Apps, "");
        assert!(apps.contains("/shop/web") && apps.contains("0 of 2") && apps.contains("1 min ago"), "{apps}");
        let app = show(Kind::Apps, "id=%2Fshop%2Fweb");
        assert!(app.contains("&lt;script&gt;") && !app.contains("<script>"), "{app}");
        assert!(show(Kind::Apps, "id=%2Fnone").contains("There is no such app"));
        assert!(show(Kind::Deployments, "").contains("StartApplication /shop/web"));
        assert!(show(Kind::Queue, "").contains("Nothing waits"));
    }
}
