//! The files of sandboxes: folders, and what is in a file.

use std::path::{Path, PathBuf};

use orch_core::clock::Timestamp;

use crate::agent::files::{Files, Part, mode_text};
use crate::http::Refusal;
use crate::pages::{Address, Column, Html, Query, Table, id, link, listing, muted, note, path_line, time_of};

/// As much of a file as is shown at once.
const MOST: u64 = 64 << 10;

/// A file or folder on a page.
pub(super) struct Shown {
    pub(super) title: String,
    pub(super) here: Address,
    /// Whether it is looked at again and again.
    pub(super) grows: bool,
    pub(super) body: Html,
}

/// A folder; without a path, all that may be looked at.
pub(super) fn folder(files: &Files, path: &str, now: Timestamp) -> Result<Shown, Refusal> {
    let mut table = Table::new([
        Column::text("Name"),
        Column::number("Size"),
        Column::text("Written"),
        Column::text("Mode"),
        Column::text("Owner"),
        Column::text(""),
    ]);
    if path.is_empty() {
        for root in files.attached().keys() {
            let root = root.to_string_lossy();
            let nothing = Html::default;
            table.row([link(&browse(&root), root.as_ref()), nothing(), nothing(), nothing(), nothing(), nothing()]);
        }
        let (title, here) = ("Files".to_owned(), Address::here("/pages/browse"));
        return Ok(Shown { title, here, grows: false, body: table.or("There is nothing.") });
    }
    for info in files.list(path)? {
        let name = Path::new(&info.path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = info.mode & 0o170_000;
        let (name, download) = match kind {
            0o040_000 => (link(&browse(&info.path), format!("{name}/")), Html::default()),
            0o100_000 => (link(&view(&info.path), &name), link(&download(&info.path), "download")),
            // What leads elsewhere, and what is no file, is not to be looked at.
            _ => (muted(&name), Html::default()),
        };
        let size = if kind == 0o100_000 { bytes(info.size).into() } else { Html::default() };
        let owner = format!("{}:{}", info.uid, info.gid);
        let written = i32::try_from(info.mtime).map_or(0.0, f64::from);
        table.row([name, size, time_of(written, now), id(&mode_text(info.mode)), muted(owner), download]);
    }
    let body = crumbs(files, path).and(table.or("The folder is empty."));
    Ok(Shown { title: name_of(path), here: browse(path), grows: true, body })
}

/// A part of a file: the end of it, unless the query says from where on.
pub(super) fn file(files: &Files, path: &str, query: &Query) -> Result<Shown, Refusal> {
    let said = query.number("offset").map_err(Refusal::bad_request)?;
    let said = said.and_then(|offset| u64::try_from(offset).ok());
    let size = files.read(path, None, None)?.size;
    let from = said.unwrap_or(size.saturating_sub(MOST));
    let part = whole_letters(files.read(path, Some(from), Some(MOST))?);
    let end = part.offset + part.data.len() as u64;
    let mut line = muted(format!("Bytes {}–{end} of {}", part.offset, part.size));
    let to = |offset: u64| view(path).with("offset", &offset.to_string());
    if part.offset > 0 {
        line = line.and(" · ").and(link(&to(0), "beginning"));
        line = line.and(" · ").and(link(&to(part.offset.saturating_sub(MOST)), "before"));
    }
    if end < part.size {
        line = line.and(" · ").and(link(&to(end), "after")).and(" · ").and(link(&view(path), "end"));
    }
    line = line.and(" · ").and(link(&download(path), "download"));
    let mut body = crumbs(files, path).and(line);
    if part.data.contains(&0) {
        body = body.and(note("This is no text: download it to see what is in it."));
    }
    let shown = if part.size == 0 { note("The file is empty.") } else { listing(&String::from_utf8_lossy(&part.data)) };
    Ok(Shown { title: name_of(path), here: view(path), grows: said.is_none(), body: body.and(shown) })
}

/// A part without halves of letters at its ends, unless the file itself ends so.
fn whole_letters(mut part: Part) -> Part {
    let is_inner = |byte: &u8| byte & 0b1100_0000 == 0b1000_0000;
    if part.offset > 0 {
        let half = part.data.iter().take(3).take_while(|byte| is_inner(byte)).count();
        part.data.drain(..half);
        part.offset += half as u64;
    }
    if part.offset + (part.data.len() as u64) < part.size {
        let half = std::str::from_utf8(&part.data).err().filter(|error| error.error_len().is_none());
        part.data.truncate(half.map_or(part.data.len(), |error| error.valid_up_to()));
    }
    part
}

/// The folders that a path is in, as far as they may be looked at.
fn crumbs(files: &Files, path: &str) -> Html {
    let roots = files.attached();
    let Some(root) = Path::new(path).ancestors().find(|above| roots.contains_key(*above)) else {
        return Html::default();
    };
    let mut at = PathBuf::from(root);
    let mut crumbs = link(&browse(&root.to_string_lossy()), root.to_string_lossy().as_ref());
    for part in Path::new(path).strip_prefix(root).unwrap_or(Path::new("")).components() {
        at.push(part);
        let name = part.as_os_str().to_string_lossy();
        let name = if at == Path::new(path) {
            Html::from(name.as_ref())
        } else {
            link(&browse(&at.to_string_lossy()), name.as_ref())
        };
        crumbs = crumbs.and(" / ").and(name);
    }
    path_line(crumbs)
}

fn name_of(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn browse(path: &str) -> Address {
    Address::here("/pages/browse").with("path", path)
}

fn view(path: &str) -> Address {
    Address::here("/pages/file").with("path", path)
}

fn download(path: &str) -> Address {
    Address::here("/files/download").with("path", path)
}

fn bytes(size: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let (mut whole, mut rest, mut unit) = (size, 0, "B");
    for next in UNITS {
        if whole < 1024 {
            break;
        }
        (whole, rest, unit) = (whole / 1024, whole % 1024, next);
    }
    if unit == "B" { format!("{size} B") } else { format!("{whole}.{} {unit}", rest * 10 / 1024) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::agent::scratch::Scratch;

    fn part(data: &[u8], offset: u64, size: u64) -> (u64, String) {
        let part = whole_letters(Part { size, offset, data: data.to_vec() });
        (part.offset, String::from_utf8_lossy(&part.data).into_owned())
    }

    #[test]
    fn letters_are_shown_whole() {
        let text = "größer".as_bytes();
        assert_eq!(part(&text[..3], 0, 8), (0, "gr".to_owned()));
        assert_eq!(part(&text[3..], 3, 8), (4, "ßer".to_owned()));
        assert_eq!(part(b"\xc3", 7, 8), (7, "\u{fffd}".to_owned()), "so the file ends");
        assert_eq!(part(b"\xff\xfea", 0, 9), (0, "\u{fffd}\u{fffd}a".to_owned()));
        assert_eq!(
            (bytes(1023), bytes(1536), bytes(5 << 30)),
            ("1023 B".to_owned(), "1.5 kB".to_owned(), "5.0 GB".to_owned())
        );
    }

    #[test]
    fn a_large_file_is_shown_from_its_end_and_in_parts() {
        let scratch = Scratch::new();
        let text: String = (0..20_000).map(|line| format!("line {line}\n")).collect();
        fs::write(scratch.path().join("log"), &text).expect("a file");
        let files = Files::default();
        files.attach("/box", scratch.path());
        let shown =
            |query: &str| file(&files, "/box/log", &Query::of(query)).map(|shown| shown.body.as_str().to_owned());
        let end = shown("").expect("it is there");
        assert!(end.contains("line 19999\n") && !end.contains("line 5000\n") && !end.contains(">after<"));
        let first = shown("offset=0").expect("it is there");
        assert!(first.contains("line 0\n") && first.contains("offset=65536\">after") && !first.contains(">before<"));
        assert!(shown("offset=x").is_err() && shown("offset=999999999").is_ok_and(|page| page.contains("before")));
    }

    #[test]
    fn a_folder_shows_names_as_they_are_and_nothing_outside() {
        let scratch = Scratch::new();
        fs::create_dir(scratch.path().join("box")).expect("a folder");
        fs::write(scratch.path().join("box/<script>&.txt"), "").expect("a file");
        fs::create_dir(scratch.path().join("box/inner")).expect("a folder");
        std::os::unix::fs::symlink("/etc/passwd", scratch.path().join("box/away")).expect("a link");
        let files = Files::default();
        files.attach("/box", scratch.path().join("box"));
        let page = folder(&files, "/box", Timestamp::UNIX_EPOCH).expect("a folder").body.as_str().to_owned();
        assert!(page.contains("&lt;script&gt;&amp;.txt") && page.contains("?path=/box/%3Cscript%3E%26.txt"), "{page}");
        assert!(page.contains("/pages/browse?path=/box/inner") && !page.contains("path=/box/away"));
        for path in ["/box/../box", "/box/away", "/etc", "/box/none", "/"] {
            assert_eq!(
                folder(&files, path, Timestamp::UNIX_EPOCH).err().map(|refusal| refusal.status.as_u16()),
                Some(404),
                "{path}"
            );
            assert!(file(&files, path, &Query::default()).is_err(), "{path}");
        }
    }
}
