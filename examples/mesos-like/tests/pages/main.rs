//! The pages of masters and agents in a real browser. Where there is none, that is said with the reason, and the tests count
//! as ignored, not as passed. The pictures that it takes are in `target/tmp`, for people to look at.

mod browser;
#[path = "../system/cluster.rs"]
#[expect(dead_code, reason = "the tests of the system use the rest")]
mod cluster;
#[path = "../system/framework.rs"]
#[expect(dead_code, reason = "the tests of the system use the rest")]
mod framework;
mod scenarios;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use browser::Browser;

fn main() -> ExitCode {
    let found = Browser::find();
    if let Err(reason) = &found {
        eprintln!("NOT RUN: pages in a browser: {reason}");
    }
    let trials = scenarios::ALL.iter().map(|(name, run)| {
        let browser = found.clone().ok();
        let is_missing = browser.is_none();
        let trial = Trial::test(*name, move || {
            browser.iter().for_each(run);
            Ok(())
        });
        trial.with_ignored_flag(is_missing)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
