//! [`Browser`]: Debian's chromium, without a window.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

use serde_json::Value;
use tokio::process::Command;

use crate::cluster::PATIENCE;

/// A browser that was found.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    program: PathBuf,
    /// Where it was unpacked, if it is not installed.
    tree: Option<PathBuf>,
}

/// What came of opening a page.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Where it is.
    url: String,
    /// The page, as it is after it was read, and after all that it may have done.
    pub(crate) dom: String,
    /// What it wrote to the browser's console.
    pub(crate) console: Vec<String>,
    /// What was asked for it, the page itself included.
    pub(crate) asked: Vec<String>,
}

/// How a picture is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture {
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
}

impl Browser {
    /// A browser, or why there is none.
    pub(crate) fn find() -> Result<Self, String> {
        let path = env::var_os("PATH").unwrap_or_default();
        if let Some(program) = env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.is_file())
        {
            return Ok(Self { program, tree: None });
        }
        let programs = env::var_os("ORCH_PARTS").ok_or("ORCH_PARTS is not set: run it with cargo")?;
        let parts = Path::new(&programs).ancestors().nth(2).ok_or("ORCH_PARTS is no folder of programs")?;
        let tree = parts.join("browser");
        if tree.join("there").is_file() {
            return Ok(Self { program: tree.join("usr/lib/chromium/chromium"), tree: Some(tree) });
        }
        Err(fs::read_to_string(tree.join("missing"))
            .unwrap_or_else(|_| "chromium was not installed: `cargo xtask test` does that".to_owned()))
    }

    /// Opens a page; all that the browser writes is put into this folder.
    pub(crate) async fn open(&self, folder: &Path, url: &str) -> Seen {
        let profile = profile(folder);
        let log = profile.with_extension("json");
        let mut command = self.command(&profile);
        command.arg(format!("--log-net-log={}", log.display())).args(["--enable-logging=stderr", "--dump-dom", url]);
        let (dom, errors) = run(command).await;
        let console = errors.lines().filter(|line| line.contains(":CONSOLE:")).map(str::to_owned).collect();
        let log = fs::read(&log).expect("a log of the network");
        let asked = asked(&serde_json::from_slice(&log).expect("the log is JSON"));
        Seen { url: url.to_owned(), dom, console, asked }
    }

    /// Takes a picture of a page, and returns how many bytes it has.
    pub(crate) async fn draw(&self, folder: &Path, url: &str, picture: Picture) -> (PathBuf, u64) {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.png", picture.name));
        // That of an earlier run is no picture.
        let _ = fs::remove_file(&file);
        let mut command = self.command(&profile(folder));
        command.arg(format!("--window-size={},{}", picture.width, picture.height));
        command.arg(format!("--screenshot={}", file.display())).arg("--hide-scrollbars");
        if picture.is_dark {
            command.arg("--blink-settings=preferredColorScheme=0");
        }
        run({
            command.arg(url);
            command
        })
        .await;
        let bytes = fs::metadata(&file).map_or(0, |about| about.len());
        (file, bytes)
    }

    fn command(&self, profile: &Path) -> Command {
        let mut command = Command::new(&self.program);
        // Root has no sandbox there, and tests have no display.
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        command.args([
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
        ]);
        // It asks its maker for this and that by itself, and finds nobody.
        command.arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.*");
        command.arg(format!("--user-data-dir={}", profile.display())).env("HOME", profile);
        if let Some(tree) = &self.tree {
            command.env("LD_LIBRARY_PATH", env::join_paths(libraries(tree)).expect("paths"));
            command.env("XDG_DATA_HOME", tree.join("usr/share"));
            let fonts = tree.join("etc/fonts");
            if fonts.is_dir() {
                command.env("FONTCONFIG_PATH", fonts);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

impl Seen {
    /// Fails unless nothing went wrong and nothing was asked for but the page itself.
    pub(crate) fn expect_quiet(&self) -> &Self {
        assert_eq!(self.console, Vec::<String>::new(), "{}", self.url);
        // Where all is slow, it is loaded again meanwhile.
        let is_alone = !self.asked.is_empty() && self.asked.iter().all(|asked| *asked == self.url);
        assert!(is_alone, "{} is all that is asked for: {:?}", self.url, self.asked);
        self
    }

    /// Fails unless all of these are on the page, as a person reads it.
    pub(crate) fn expect(&self, texts: &[&str]) -> &Self {
        let text = self.text();
        for wanted in texts {
            assert!(text.contains(wanted), "{wanted:?} on {}: {text}", self.url);
        }
        self
    }

    /// What can be read on it.
    pub(crate) fn text(&self) -> String {
        let body = self.dom.split_once("<body>").map_or(self.dom.as_str(), |(_, body)| body);
        let pieces = body.split('<').filter_map(|piece| Some(piece.split_once('>')?.1));
        plain(&pieces.collect::<Vec<_>>().join("\u{1}")).replace('\u{1}', "")
    }

    /// Where the first link of these words leads.
    pub(crate) fn link(&self, words: &str) -> String {
        let links = self.dom.split("<a ").skip(1).filter_map(|link| {
            let (tag, rest) = link.split_once('>')?;
            let address = tag.split_once("href=\"")?.1.split('"').next()?;
            Some((plain(address), plain(rest.split("</a>").next()?)))
        });
        let links: Vec<_> = links.collect();
        let found = links.iter().find(|(_, of)| of == words);
        let (address, _) = found.unwrap_or_else(|| panic!("no link {words:?} on {}: {links:?}", self.url));
        match address.strip_prefix('/') {
            Some(path) => format!("{}/{path}", self.url.split('/').take(3).collect::<Vec<_>>().join("/")),
            None => address.clone(),
        }
    }
}

/// A text as it was before the browser wrote it down.
fn plain(html: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&nbsp;", "\u{a0}"), ("&amp;", "&")];
    pairs.iter().fold(html.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// A folder of its own for each start.
fn profile(folder: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let profile = folder.join(format!("browser-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir_all(&profile).expect("a folder");
    profile
}

async fn run(mut command: Command) -> (String, String) {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("the browser ends in time");
    let output = output.expect("the browser starts");
    let [said, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "the browser ends by {}: {errors}", output.status);
    (said, errors)
}

/// What pages asked for, by the browser's log: what it asks for itself has nobody who began it.
fn asked(log: &Value) -> Vec<String> {
    let kind = &log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"];
    assert!(kind.is_number(), "the log says what a request is");
    let events = log["events"].as_array().expect("events").iter();
    let requests = events.filter(|event| event["type"] == *kind).map(|event| &event["params"]);
    let of_pages =
        requests.filter(|about| about["request_type"] == "main frame" || about["initiator"] != "not an origin");
    of_pages
        .filter_map(|about| about["url"].as_str())
        .filter(|url| !url.starts_with("data:"))
        .map(str::to_owned)
        .collect()
}

/// The folders of a tree that have libraries in them.
fn libraries(tree: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["lib", "usr/lib"].iter().map(|folder| tree.join(folder)).collect();
    // The machine's kind, and what is private to a library in there.
    for _ in 0..3 {
        let inner = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let inner: Vec<PathBuf> = inner.map(|entry| entry.path()).collect();
        let is_library = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
        found.extend(inner.iter().filter(|path| is_library(path)).filter_map(|path| Some(path.parent()?.to_owned())));
        folders = inner.into_iter().filter(|path| path.is_dir()).collect();
    }
    found.dedup();
    found
}
