//! What is seen of a cluster in a browser.

use std::time::Duration;

use clap::Parser as _;
use mesos_like::http::Client;
use mesos_like::marathon::flags::MarathonFlags;
use mesos_like::wire::{FrameworkInfo, TaskState};
use serde_json::{Value, json};

use crate::browser::{Browser, Picture};
use crate::cluster::{Cluster, eventually};
use crate::framework::{Framework, info, task};

/// A test: its name, and what it does. It panics when something is not as it should be.
type Scenario = (&'static str, fn(&Browser));

pub(crate) const ALL: &[Scenario] = &[
    ("what_a_page_asks_for_and_complains_of_is_seen", |browser| block_on(tells(browser))),
    ("every_page_shows_the_cluster_and_asks_for_nothing_but_itself", |browser| block_on(shows(browser))),
    ("a_task_leads_to_the_files_of_its_sandbox_and_to_no_others", |browser| block_on(leads(browser))),
    ("names_that_others_chose_are_shown_and_do_nothing", |browser| block_on(names(browser))),
    ("marathon_shows_its_apps_with_the_health_of_their_instances_and_why_some_wait", |browser| {
        block_on(serves(browser))
    }),
    ("the_pages_are_drawn_wide_and_small_light_and_dark", |browser| block_on(draws(browser))),
];

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future);
}

fn in_role(name: &str, role: &str) -> FrameworkInfo {
    FrameworkInfo { role: Some(role.to_owned()), hostname: Some("here".to_owned()), ..info(name) }
}

/// The browser is no witness unless it tells of what is wrong.
async fn tells(browser: &Browser) {
    let cluster = Cluster::new("told");
    let page = cluster.folder().join("page.html");
    let wrong = "<body><p>here</p><img src='http://127.0.0.9:9/x'><script>console.error('odd')</script>";
    std::fs::write(&page, wrong).expect("a file");
    let seen = browser.open(cluster.folder(), &format!("file://{}", page.display())).await;
    seen.expect(&["here"]);
    assert!(seen.asked.iter().any(|asked| asked == "http://127.0.0.9:9/x"), "{:?}", seen.asked);
    assert!(seen.console.iter().any(|line| line.contains("odd")), "{:?}", seen.console);
}

async fn shows(browser: &Browser) {
    let cluster = Cluster::of("pages", 2).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], in_role("web", "eng")).await;
    framework.launch([task("server", "exec sleep 1000"), task("broken", "exit 7")]);
    framework.until_state("server", TaskState::Running).await;
    framework.until_state("broken", TaskState::Failed).await;
    let page = async |path: &str| {
        let seen = browser.open(cluster.folder(), &format!("http://{}{path}", cluster.master(1))).await;
        seen.expect_quiet();
        seen
    };
    let overview = page("/").await;
    overview.expect(&[
        "Overview",
        &cluster.master(1),
        "Mesos 1.11.0",
        "agent-1",
        "agent-2",
        "web",
        "server",
        "running",
    ]);
    overview.expect(&["0.1 of 8 used", "32 MB of 8 GB used", "1 went wrong"]);
    page("/pages/agents").await.expect(&["agent-1", "agent-2", "active", "rack:r1; number:1", "of 4 GB"]);
    page("/pages/frameworks").await.expect(&[
        "web",
        "connected",
        "eng",
        "0.1 cpus, 32 MB mem",
        "No framework has ended",
    ]);
    page("/pages/tasks").await.expect(&["server", "running", "broken", "failed", "exited with status 7"]);
    page("/pages/roles").await.expect(&["eng", "0.1 cpus", "32 MB mem"]);
    // What it is offered it does not answer any more, as nobody lets it.
    let agent = browser.open(cluster.folder(), &overview.link("agent-1")).await;
    agent.expect_quiet().expect(&["Agent agent-1", "rack", "r1", "Active tasks", "Outstanding offers of it"]);
    let of_framework = browser.open(cluster.folder(), &overview.link("web")).await;
    of_framework.expect_quiet().expect(&["Framework web", "PARTITION_AWARE", "server", "broken", "2 agents"]);
    page("/pages/offers").await.expect(&["Outstanding offers"]);
    let own = browser.open(cluster.folder(), &agent.link(&cluster.agent(1))).await;
    own.expect_quiet().expect(&["Agent agent-1", "registered", "Executors"]);
    browser.open(cluster.folder(), &own.link("Cluster")).await.expect_quiet().expect(&["Overview", "web"]);
}

async fn leads(browser: &Browser) {
    let cluster = Cluster::of("sandbox", 1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info("files")).await;
    let line =
        "mkdir -p inner; echo deep > inner/file; echo 'said <b>aloud</b> & well'; echo wrong >&2; exec sleep 1000";
    framework.launch([task("talker", line)]);
    framework.until_state("talker", TaskState::Running).await;
    let open = async |url: &str| browser.open(cluster.folder(), url).await;
    let tasks = open(&format!("http://{}/pages/tasks", cluster.master(1))).await;
    let sandbox = eventually("what it wrote", async || {
        let seen = open(&tasks.link("sandbox")).await;
        (seen.text().contains("inner/") && seen.text().contains("25 B")).then_some(seen)
    })
    .await;
    sandbox.expect_quiet().expect(&["Sandbox of talker", "stdout", "stderr", "-rw-"]);
    let stdout = open(&sandbox.link("stdout")).await;
    stdout.expect_quiet().expect(&["said <b>aloud</b> & well\n", "Bytes 0–25 of 25"]);
    open(&sandbox.link("stderr")).await.expect_quiet().expect(&["wrong\n"]);
    let inner = open(&sandbox.link("inner/")).await;
    open(&inner.expect_quiet().link("file")).await.expect_quiet().expect(&["deep\n"]);
    let address = stdout.link("download");
    let (server, path) = address.trim_start_matches("http://").split_once('/').expect("a path");
    let downloaded = Client::new(Duration::from_secs(5)).get(server, &format!("/{path}")).await.expect("the file");
    assert_eq!(downloaded, "said <b>aloud</b> & well\n");
    for path in ["/etc/passwd", "/etc", "/", "../../../../etc/passwd"] {
        for page in ["file", "browse"] {
            let away = open(&format!("http://{}/pages/{page}?path={path}", cluster.agent(1))).await;
            away.expect(&["Nothing to show", "is not there, or is not to be looked at"]);
            assert!(!away.text().contains("root:"), "{path}: {}", away.text());
        }
    }
}

async fn names(browser: &Browser) {
    const ODD: &str =
        "<img src=http://127.0.0.9/x onerror=\"document.title='taken'\">&'<script>console.log(1)</script>";
    let mut cluster = Cluster::new("names");
    cluster.start_master(1, &[&format!("--cluster={ODD}")]);
    cluster.start_agent(1, &[&format!("--attributes=rack:{ODD}"), &format!("--hostname={ODD}")]);
    cluster.wait_for_agents(1).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], info(ODD)).await;
    framework.launch([mesos_like::wire::TaskInfo { name: ODD.to_owned(), ..task("odd", "exec sleep 1000") }]);
    framework.until_state("odd", TaskState::Running).await;
    for path in ["/", "/pages/agents", "/pages/frameworks", "/pages/tasks"] {
        let seen = browser.open(cluster.folder(), &format!("http://{}{path}", cluster.master(1))).await;
        seen.expect_quiet().expect(&[ODD]);
        assert!(!seen.dom.contains("<img") && !seen.dom.contains("<script") && !seen.dom.contains("<title>taken"));
    }
}

/// Marathon's flags, as they are typed.
#[derive(Debug, clap::Parser)]
struct Typed {
    #[command(flatten)]
    flags: MarathonFlags,
}

async fn serves(browser: &Browser) {
    let cluster = Cluster::of("served", 2).await;
    let typed = ["marathon", &format!("--master={}", cluster.master(1)), "--http_port=0"].map(str::to_owned);
    let flags = Typed::try_parse_from(typed).expect("flags").flags;
    let marathon = mesos_like::marathon::run::start(flags).await.expect("it starts");
    let address = marathon.address().to_string();
    let client = Client::new(Duration::from_secs(5));
    let check = |command: &str| {
        json!([{ "protocol": "COMMAND", "command": { "value": command }, "intervalSeconds": 1, "delaySeconds": 0,
            "gracePeriodSeconds": 0, "maxConsecutiveFailures": 0 }])
    };
    let small = |id: &str, more: Value| {
        let mut app = json!({ "id": id, "cmd": "exec sleep 1000", "cpus": 0.1, "mem": 32 });
        app.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        app
    };
    // Each list is a deployment of its own: only that of the first one comes to its end.
    let well = json!([small("/shop/web", json!({ "instances": 3, "healthChecks": check("true") }))]);
    let others = json!([
        small("/shop/sick", json!({ "instances": 2, "healthChecks": check("false") })),
        small("/nowhere", json!({ "constraints": [["rack", "LIKE", "mars"]] })),
        small("/broken", json!({ "cmd": "exit 7", "backoffSeconds": 100 })),
    ]);
    for apps in [well, others] {
        let created = eventually("marathon leads", async || {
            let (status, _) = client.json(http::Method::PUT, &address, "/v2/apps", Some(&apps)).await.ok()?;
            (status == 201).then_some(())
        });
        created.await;
    }
    let page = async |path: &str| {
        let seen = browser.open(cluster.folder(), &format!("http://{address}{path}")).await;
        seen.expect_quiet();
        seen
    };
    let shown = eventually("all apps are as they will be", async || {
        let seen = page("/ui/").await;
        let text = seen.text();
        ["running", "deploying", "waiting", "delayed"].iter().all(|word| text.contains(word)).then_some(seen)
    });
    let shown = shown.await;
    shown.expect(&["/shop/web", "3 of 3", "/shop/sick", "2 of 2", "/nowhere", "0 of 1", "/broken"]);
    let web = browser.open(cluster.folder(), &shown.link("/shop/web")).await;
    web.expect_quiet().expect(&["App /shop/web", "healthy", "TASK_RUNNING", "exec sleep 1000", "current"]);
    let sick = eventually("it is known that some do not work", async || {
        let seen = page("/ui/?id=/shop/sick").await;
        seen.text().contains("unhealthy").then_some(seen)
    });
    let sick = sick.await;
    let host = ["agent-1", "agent-2"].into_iter().find(|host| sick.text().contains(host)).expect("a host");
    let agent = browser.open(cluster.folder(), &sick.link(host)).await;
    agent.expect_quiet().expect(&["Active tasks", "sandbox"]);
    page("/ui/?id=/broken").await.expect(&["Last failure", "TASK_FAILED", "exited with status 7", "is tried again"]);
    page("/ui/queue").await.expect(&["/nowhere", "2 of 2 offers: UnfulfilledConstraint"]);
    page("/ui/deployments").await.expect(&["ScaleApplication /shop/sick", "2 of 2"]);
    for (name, path, is_dark) in [("pages-marathon", "/ui/", false), ("pages-marathon-app", "/ui/?id=/shop/sick", true)]
    {
        let picture = Picture { name, width: 1280, height: 800, is_dark };
        let (file, size) = browser.draw(cluster.folder(), &format!("http://{address}{path}"), picture).await;
        assert!(size > 10_000, "{} is empty", file.display());
    }
    marathon.stop().await;
}

async fn draws(browser: &Browser) {
    let cluster = Cluster::of("drawn", 3).await;
    let mut framework = Framework::subscribe(&[cluster.master(1)], in_role("web", "eng")).await;
    let servers = (1..=5).map(|number| task(&format!("server-{number}"), "echo started; exec sleep 1000"));
    framework.launch(servers.chain([task("broken", "exit 7")]));
    for task in ["server-1", "server-2", "server-3", "server-4", "server-5"] {
        framework.until_state(task, TaskState::Running).await;
    }
    framework.until_state("broken", TaskState::Failed).await;
    let master = format!("http://{}", cluster.master(1));
    let tasks = format!("{master}/pages/tasks");
    let agent = format!("http://{}/", cluster.agent(1));
    let picture = |name, width, height, is_dark| Picture { name, width, height, is_dark };
    for (url, picture) in [
        (&master, picture("pages-overview", 1280, 1500, false)),
        (&master, picture("pages-overview-dark", 1280, 1500, true)),
        (&master, picture("pages-overview-phone", 390, 1800, false)),
        (&tasks, picture("pages-tasks", 1280, 800, false)),
        (&agent, picture("pages-agent", 1280, 900, false)),
    ] {
        let (file, bytes) = browser.draw(cluster.folder(), url, picture).await;
        // An empty page of this size has some 3,000 bytes.
        assert!(bytes > 20_000, "{} has {bytes} bytes", file.display());
    }
}
