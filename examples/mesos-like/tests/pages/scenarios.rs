//! What is seen of a cluster in a browser.

use std::time::Duration;

use mesos_like::http::Client;
use mesos_like::wire::{FrameworkInfo, TaskState};

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
