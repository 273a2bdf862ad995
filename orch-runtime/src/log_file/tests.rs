use std::fs::{self, File};
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures::{StreamExt as _, TryStreamExt as _};
use orch_core::clock::{SystemClock, Timestamp};
use orch_core::runtime::LogOptions;

use super::*;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orch-log-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    async fn read(&self, options: LogOptions) -> Vec<u8> {
        let pieces: Vec<_> = read(&self.0, options, async {}).try_collect().await.expect("output");
        pieces.concat()
    }

    async fn text(&self, options: LogOptions) -> String {
        String::from_utf8(self.read(options).await).expect("text")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in a folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ALL: LogOptions = LogOptions { tail: None, follow: false, since: None, timestamps: false };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn tail(lines: usize) -> LogOptions {
    LogOptions { tail: Some(lines), ..ALL }
}

#[tokio::test]
async fn any_bytes_come_out_as_they_went_in_however_they_are_cut() {
    let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let long = vec![b'x'; 300_000];
    for cut in [1, 7, 4096, 65536, 1 << 20] {
        let folder = Folder::new();
        let mut writer = LogWriter::open(&folder.0, 1 << 30).expect("a writer");
        let written = if cut == 1 { [&bytes[..3000], b"\n\n"].concat() } else { [&bytes[..], &long, b"\n\n"].concat() };
        for piece in written.chunks(cut) {
            writer.write(Origin::Stdout, at(1), piece).expect("written");
        }
        assert!(folder.read(ALL).await == written, "cut every {cut}");
    }
}

#[tokio::test]
async fn the_last_lines_are_found_across_files_and_parts() {
    let folder = Folder::new();
    let mut writer = LogWriter::open(&folder.0, 170).expect("a writer");
    for piece in ["one\ntw", "o\nth", "ree\nfo", "ur\n"] {
        writer.write(Origin::Stdout, at(1), piece.as_bytes()).expect("written");
    }
    assert_eq!(files(&folder.0).expect("files").len(), 2);
    let all = "one\ntwo\nthree\nfour\n";
    assert_eq!(folder.text(ALL).await, all);
    for (lines, text) in [(0, ""), (1, "four\n"), (2, "three\nfour\n"), (3, "two\nthree\nfour\n")] {
        assert_eq!(folder.text(tail(lines)).await, text);
    }
    assert_eq!(folder.text(tail(9)).await, all);
    writer.write(Origin::Stdout, at(1), b"unfinished").expect("written");
    assert_eq!(folder.text(tail(2)).await, "four\nunfinished");
}

#[tokio::test]
async fn lines_are_chosen_by_their_time_and_shown_with_it() {
    let folder = Folder::new();
    let mut writer = LogWriter::open(&folder.0, 1 << 20).expect("a writer");
    for (second, text) in [(5, "one\n"), (7, "tw"), (9, "o\n"), (8, "three\n")] {
        writer.write(Origin::Stdout, at(second), text.as_bytes()).expect("written");
    }
    let since = |second| LogOptions { since: Some(at(second)), ..ALL };
    assert_eq!(folder.text(since(7)).await, "two\nthree\n");
    assert_eq!(folder.text(since(8)).await, "three\n", "a line is of the time when it began");
    assert_eq!(folder.text(since(10)).await, "");
    assert_eq!(folder.text(LogOptions { tail: Some(5), ..since(7) }).await, "two\nthree\n");
    assert_eq!(
        folder.text(LogOptions { timestamps: true, tail: Some(1), ..since(6) }).await,
        "1970-01-01T00:00:08.000000000Z three\n"
    );
}

#[tokio::test]
async fn a_torn_end_is_not_shown_and_is_cut_off_by_the_next_writer() {
    let folder = Folder::new();
    let mut writer = LogWriter::open(&folder.0, 1 << 20).expect("a writer");
    writer.write(Origin::Stdout, at(1), b"whole\n").expect("written");
    drop(writer);
    for torn in [&b"1970-01-01T00:00"[..], &[0; 100_000], b"1970-01-01T00:00:01.000000000Z stdout F ha"] {
        let mut file = File::options().append(true).open(file(&folder.0, 0)).expect("the file");
        file.write_all(torn).expect("written");
        assert!(folder.text(ALL).await.ends_with("whole\n"));
        let mut writer = LogWriter::open(&folder.0, 1 << 20).expect("a writer");
        writer.write(Origin::Stdout, at(1), b"more, whole\n").expect("written");
    }
    assert_eq!(folder.text(ALL).await, "whole\n".to_owned() + &"more, whole\n".repeat(3));
}

#[tokio::test]
async fn what_is_no_record_is_passed_over() {
    let folder = Folder::new();
    let mut writer = LogWriter::open(&folder.0, 1 << 20).expect("a writer");
    for _ in 0..2 {
        writer.write(Origin::Stdout, at(1), b"whole\n").expect("written");
        let mut file = File::options().append(true).open(file(&folder.0, 0)).expect("the file");
        file.write_all(&[&[b'?'; 200_000][..], b"\n\n\xff\n"].concat()).expect("written");
    }
    assert_eq!(folder.text(ALL).await, "whole\nwhole\n");
}

#[tokio::test]
async fn output_is_followed_over_files_to_the_end() {
    let folder = Folder::new();
    let writer = Arc::new(Mutex::new(LogWriter::open(&folder.0, 20_000).expect("a writer")));
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let follow = LogOptions { follow: true, ..ALL };
    let mut followed = read(&folder.0, follow, async { ended.await.unwrap_or_default() }).boxed();
    let mut expected = String::new();
    let mut seen = String::new();
    for number in 0..50 {
        let text = format!("line {number} {}\n", "x".repeat(1500));
        writer.lock().expect("no panic").write(Origin::Stderr, at(1), text.as_bytes()).expect("written");
        expected += &text;
        while seen.len() < expected.len() {
            let piece = followed.next().await.expect("more").expect("output");
            seen += std::str::from_utf8(&piece).expect("text");
        }
    }
    assert!(files(&folder.0).expect("files")[0] > 1, "more than two files were needed");
    writer.lock().expect("no panic").write(Origin::Stderr, at(1), b"last").expect("written");
    end.send(()).expect("somebody follows");
    let rest: Vec<_> = followed.try_collect().await.expect("output");
    assert_eq!(rest.concat(), b"last");
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn who_follows_from_now_on_sees_the_rest_of_the_line() {
    let folder = Folder::new();
    let mut writer = LogWriter::open(&folder.0, 1 << 20).expect("a writer");
    writer.write(Origin::Stdout, at(1), b"before\n$ ").expect("written");
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let followed = read_from_now(&folder.0, async { ended.await.unwrap_or_default() }).await.expect("a log");
    writer.write(Origin::Stdout, at(1), b"echo\n").expect("written");
    writer.write(Origin::Stderr, at(1), b"error\n").expect("written");
    end.send(()).expect("somebody follows");
    let rest: Vec<_> = followed.try_collect().await.expect("output");
    assert_eq!(rest, [(Origin::Stdout, "echo\n".into()), (Origin::Stderr, "error\n".into())]);
}

#[tokio::test]
async fn the_size_is_limited_and_the_end_is_kept() {
    let folder = Folder::new();
    let writer = Mutex::new(LogWriter::open(&folder.0, 100_000).expect("a writer"));
    let source = "y\n".repeat(100_000) + "end\n";
    copy(source.as_bytes(), Origin::Stdout, &writer, &SystemClock);
    let kept = folder.text(ALL).await;
    assert!(kept.ends_with("y\nend\n") && kept.len() > 4000, "{}", kept.len());
    let bytes: u64 = files(&folder.0)
        .expect("files")
        .iter()
        .map(|number| fs::metadata(file(&folder.0, *number)).expect("it is there").len())
        .sum();
    assert!(bytes <= 2 * (100_000 + (64 << 10)), "{bytes}");
    assert!(disk_bytes(&folder.0).expect("a number") >= 4096);
}
