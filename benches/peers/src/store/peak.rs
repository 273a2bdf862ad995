//! How much memory a store takes at most while it is filled.

use std::fs;
use std::process::Command;

use orch_testkit::daemon::Etcd;

use super::reads::fill;
use super::subject::Subject;
use crate::measure::block_on;

/// Asks this program to fill a store and print its own peak. Only a process of its own has a peak of its own.
pub const LOAD: &str = "--load";

const OBJECTS: usize = 300_000;
const SUBJECTS: [Subject<'static>; 6] =
    [Subject::Map, Subject::Memory, Subject::Sharded, Subject::Buffered, Subject::Embedded, Subject::EmbeddedEncoding];

/// Fills the store of this name and prints the peak of this process.
pub fn load(name: &str) {
    if let Some(subject) = SUBJECTS.into_iter().find(|subject| subject.name() == name) {
        block_on(async {
            let opened = subject.open().await;
            fill(subject, &opened.target, OBJECTS).await;
            println!("{}", peak(std::process::id()));
        });
    } else {
        // What the rest takes.
        println!("{}", peak(std::process::id()));
    }
}

/// Prints the peaks of all.
pub fn print() {
    println!("\n| {OBJECTS} pods put | most memory in use | for each pod |\n|---|---|---|");
    let without = child("");
    let row = |name: &str, peak: u64, without: u64| {
        let (mebibytes, each) = (peak >> 20, peak.saturating_sub(without) / OBJECTS as u64);
        println!("| {name} | {mebibytes} MiB | {each} bytes |");
    };
    for subject in SUBJECTS {
        row(subject.name(), child(subject.name()), without);
    }
    let (before, after) = block_on(async {
        let etcd = Etcd::start().await;
        let process = etcd.process_id().expect("it runs");
        let before = peak(process);
        let subject = Subject::RawEtcd(&etcd);
        fill(subject, &subject.open().await.target, OBJECTS).await;
        (before, peak(process))
    });
    row("etcd, its own process", after, before);
}

fn child(name: &str) -> u64 {
    let program = std::env::current_exe().expect("a program knows where it is");
    let output = Command::new(program).args([LOAD, name]).output().expect("it can be run once more");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number of bytes")
}

/// The most memory that a process ever had, in bytes.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells the peak");
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024
}
