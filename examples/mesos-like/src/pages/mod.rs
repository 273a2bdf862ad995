//! HTML pages, as masters, agents and frameworks show themselves to people with a browser: no script, no file beside the
//! program, no request to anybody else.
//!
//! A page is made of [`Html`], and only what is in here can make a tag of it: every text from outside, such as the name of
//! a task, is text on the page, whatever it says. An [`Address`] is of this server, of another one by its IP address and port,
//! or of the web, and never a `javascript:`.
//!
//! ```
//! use http::StatusCode;
//! use mesos_like::pages::{Address, Column, Page, Query, Table, Tone, badge, link, section};
//!
//! let apps = [("/web", 4, true), ("/<b>odd</b>", 0, false)];
//! let mut table = Table::new([Column::text("App"), Column::number("Instances"), Column::text("Health")]);
//! for (name, instances, is_healthy) in apps {
//!     let address = Address::here("/pages/app").with("id", name);
//!     let (tone, word) = if is_healthy { (Tone::Good, "healthy") } else { (Tone::Bad, "unhealthy") };
//!     table.row([link(&address, name), instances.to_string().into(), badge(tone, word)]);
//! }
//! let page = Page::new("Apps", "marathon-like")
//!     .menu([("Apps", Address::here("/pages")), ("Deployments", Address::here("/pages/deployments"))])
//!     .refreshing(&Address::here("/pages"), &Query::of(""))
//!     .part(section("Apps", table.or("No app was created yet.")));
//! assert!(page.text().contains("&lt;b&gt;odd&lt;/b&gt;"));
//! assert_eq!(page.answer(StatusCode::OK).status(), 200);
//! ```

mod address;
mod amounts;
mod bar;
mod frame;
mod html;
mod parts;
mod table;
mod tasks;

pub use address::Address;
pub use amounts::{Amounts, amount, amounts, in_words};
pub use bar::{Share, bar, bars};
pub use frame::Page;
pub use html::Html;
pub use parts::{
    Tone, badge, bullets, cards, facts, id, link, listing, muted, note, path_line, section, time, time_of,
};
pub use table::{Column, Table, paged};
pub use tasks::{state, task_name};

pub use crate::http::Query;

#[cfg(test)]
pub(crate) mod tests;
