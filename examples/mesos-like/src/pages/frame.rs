//! [`Page`]: what is around every page, and how it is answered.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use orch_core::clock::{Clock as _, SystemClock};
use sha2::{Digest as _, Sha256};

use super::html::{Element, Html, element};
use super::{Address, Query, link, muted};
use crate::http::{Answer, text};

/// How pages look: it stands in each of them.
const STYLE: &str = include_str!("style.css");

/// A picture for the browser's tab, which it would otherwise ask for.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' \
                    height='16' rx='4' fill='%232f6fed'/%3E%3Cpath d='M3 11V5h2l3 4 3-4h2v6' fill='none' stroke='white' \
                    stroke-width='1.6'/%3E%3C/svg%3E";

/// After how many seconds a page is loaded again.
const REFRESH: &str = "5";

/// What a browser may do with a page: apply this style, show the picture, and nothing else.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).ok()
});

/// A page: a title, a menu, and what stands below.
#[derive(Clone, Debug)]
#[must_use]
pub struct Page {
    title: String,
    site: String,
    menu: Vec<(&'static str, Address)>,
    here: Option<Address>,
    refresh: Refresh,
    body: Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refresh {
    Never,
    Paused,
    Runs,
}

impl Page {
    /// A page of this title; what shows itself by it is called so.
    pub fn new(title: impl Into<String>, site: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            site: site.into(),
            menu: Vec::new(),
            here: None,
            refresh: Refresh::Never,
            body: Html::default(),
        }
    }

    /// Links to the other pages.
    pub fn menu(mut self, menu: impl IntoIterator<Item = (&'static str, Address)>) -> Self {
        self.menu = menu.into_iter().collect();
        self
    }

    /// Where the page is. It is loaded again every few seconds, unless the query says that it is not to be.
    pub fn refreshing(mut self, here: &Address, query: &Query) -> Self {
        self.here = Some(here.clone());
        self.refresh = if query.get("refresh") == Some("off") { Refresh::Paused } else { Refresh::Runs };
        self
    }

    /// Where the page is, which is loaded once.
    pub fn still(mut self, here: &Address) -> Self {
        self.here = Some(here.clone());
        self
    }

    /// Puts something below what is there.
    pub fn part(mut self, part: impl Into<Html>) -> Self {
        self.body = self.body.and(part);
        self
    }

    /// As it is sent.
    #[must_use]
    pub fn text(&self) -> String {
        let head = element("head")
            .add(element("meta").attribute("charset", "utf-8").alone())
            .add(meta("viewport", "width=device-width, initial-scale=1"))
            .add(meta("color-scheme", "light dark"))
            .add(if self.refresh == Refresh::Runs { refresh() } else { Html::default() })
            .add(element("title").add(format!("{} · {}", self.title, self.site)))
            .add(element("link").attribute("rel", "icon").attribute("href", ICON).alone())
            .add(Html::of_program("<style>").and(Html::of_program(STYLE)).and(Html::of_program("</style>")));
        let main = element("main").add(element("h1").add(&self.title)).add(self.body.clone());
        let body = element("body").add(self.header()).add(main).add(self.footer());
        let page = Html::of_program("<!DOCTYPE html>\n");
        page.and(element("html").attribute("lang", "en").add(head).add(body)).as_str().to_owned()
    }

    /// The answer to who asked for it.
    #[must_use]
    pub fn answer(self, status: StatusCode) -> Answer {
        let mut answer = text(status, self.text());
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(POLICY.clone().map(|policy| (CONTENT_SECURITY_POLICY, policy)));
        answer
    }

    fn header(&self) -> Element {
        let here = self.here.as_ref().map(Address::path);
        let entry = |(name, address): &(&'static str, Address)| {
            let entry = element("a").href(address).add(*name);
            if here == Some(address.path()) { entry.attribute("aria-current", "page") } else { entry }
        };
        let site = element("span").class("site").add(&self.site);
        let menu = element("nav").add(self.menu.iter().map(entry).collect::<Html>());
        element("header").add(element("div").add(site).add(menu))
    }

    fn footer(&self) -> Element {
        let mut line = muted(format!("As of {:.0}", SystemClock.now()));
        if let Some(here) = &self.here {
            line = match self.refresh {
                Refresh::Never => line,
                Refresh::Runs => line
                    .and(muted(format!(", refreshed every {REFRESH} s · ")))
                    .and(link(&here.clone().with("refresh", "off"), "pause")),
                Refresh::Paused => line.and(muted(", paused · ")).and(link(here, "go on")),
            };
        }
        element("footer").add(line)
    }
}

fn meta(name: &'static str, content: &'static str) -> Html {
    element("meta").attribute("name", name).attribute("content", content).alone()
}

fn refresh() -> Html {
    element("meta").attribute("http-equiv", "refresh").attribute("content", REFRESH).alone()
}
