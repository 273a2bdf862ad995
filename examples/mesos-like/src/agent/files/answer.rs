//! The answers of `/files/…`.

use std::path::Path;

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde::Serialize;
use tokio::io::AsyncReadExt as _;

use super::tree::{FileInfo, Files, FilesError};
use crate::http::{Answer, Query, Refusal, json};

/// As much of a file as is read at a time.
const PIECE: usize = 64 << 10;

#[derive(Serialize)]
struct Browsed<'a> {
    gid: &'a str,
    mode: String,
    mtime: i64,
    nlink: u64,
    path: &'a str,
    size: u64,
    uid: &'a str,
}

#[derive(Serialize)]
struct Read {
    data: String,
    offset: u64,
}

impl Files {
    /// The answer to a request for `/files/…`, by what follows there: `browse`, `read`, `download`, `debug`, and the same
    /// with `.json`. None if it is something else.
    #[must_use]
    pub fn answer(&self, name: &str, query: &Query) -> Option<Answer> {
        let name = name.trim_end_matches('/');
        let answer = match name.strip_suffix(".json").unwrap_or(name) {
            "browse" => self.browse(query),
            "read" => self.read_part(query),
            "download" => self.download(query),
            "debug" => Ok(json(&self.attached())),
            _ => return None,
        };
        Some(answer.unwrap_or_else(Answer::from))
    }

    fn browse(&self, query: &Query) -> Result<Answer, Refusal> {
        let listed = self.list(path(query)?)?;
        let browsed = |info: &'_ FileInfo| -> serde_json::Value {
            let FileInfo { path, nlink, size, mtime, mode, uid, gid } = info;
            let browsed = Browsed { gid, mode: mode_text(*mode), mtime: *mtime, nlink: *nlink, path, size: *size, uid };
            // It has names for keys: it can be written.
            serde_json::to_value(browsed).unwrap_or_default()
        };
        Ok(json(&listed.iter().map(browsed).collect::<Vec<_>>()))
    }

    fn read_part(&self, query: &Query) -> Result<Answer, Refusal> {
        let path = path(query)?;
        let (offset, length) = (number(query, "offset")?, number(query, "length")?);
        let part = self.read(path, offset, length)?;
        let is_end = part.offset + part.data.len() as u64 >= part.size;
        Ok(json(&Read { data: text(part.data, is_end), offset: part.offset }))
    }

    fn download(&self, query: &Query) -> Result<Answer, Refusal> {
        let path = path(query)?;
        let (file, size) = self.file(path)?;
        let file = tokio::fs::File::from_std(file).take(size);
        let pieces = stream::unfold(Some(file), |file| async move {
            let mut file = file?;
            let mut piece = vec![0; PIECE];
            match file.read(&mut piece).await {
                Ok(0) => None,
                Ok(length) => {
                    piece.truncate(length);
                    Some((Ok(Frame::data(Bytes::from(piece))), Some(file)))
                }
                Err(error) => Some((Err(error), None)),
            }
        });
        let mut answer = Response::new(StreamBody::new(pieces).boxed_unsync());
        let name = Path::new(path).file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let name: String =
            name.chars().map(|letter| if letter == '"' || letter == '\\' { '_' } else { letter }).collect();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
        if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
            headers.insert(CONTENT_DISPOSITION, value);
        }
        Ok(answer)
    }
}

fn path(query: &Query) -> Result<&str, Refusal> {
    let path = query.get("path").filter(|path| !path.is_empty());
    path.ok_or_else(|| Refusal::bad_request("Expecting 'path=value' in query.\n"))
}

/// A number that is not negative; -1 is as good as none.
fn number(query: &Query, name: &str) -> Result<Option<u64>, Refusal> {
    match query.number(name).map_err(Refusal::bad_request)? {
        None | Some(-1) => Ok(None),
        Some(number) => match u64::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Refusal::bad_request(format!("Negative {name} provided: {number}.\n"))),
        },
    }
}

/// As text. Half of a letter at the end is left for the next time, unless nothing follows.
fn text(mut data: Vec<u8>, is_end: bool) -> String {
    let half = std::str::from_utf8(&data).err().filter(|error| error.error_len().is_none() && error.valid_up_to() > 0);
    if let Some(half) = half.filter(|_| !is_end) {
        data.truncate(half.valid_up_to());
    }
    String::from_utf8_lossy(&data).into_owned()
}

/// As `ls -l` has it: `-rw-r--r--`.
#[must_use]
pub fn mode_text(mode: u32) -> String {
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o020_000 => 'c',
        0o060_000 => 'b',
        0o010_000 => 'p',
        0o140_000 => 's',
        _ => '-',
    };
    let bits = (0..9).rev().zip("rwxrwxrwx".chars());
    std::iter::once(kind).chain(bits.map(|(bit, letter)| if mode >> bit & 1 == 1 { letter } else { '-' })).collect()
}

impl From<FilesError> for Refusal {
    fn from(error: FilesError) -> Self {
        let status = match &error {
            FilesError::NotFound(_) => StatusCode::NOT_FOUND,
            FilesError::Unfit { .. } => StatusCode::BAD_REQUEST,
            FilesError::Unreadable { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, format!("{error}.\n"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::agent::scratch::Scratch;

    async fn body(answer: Answer) -> String {
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn files(scratch: &Scratch) -> Files {
        fs::create_dir(scratch.path().join("box")).expect("a folder");
        fs::write(scratch.path().join("box/stdout"), "größer").expect("a file");
        let files = Files::default();
        files.attach("/box", scratch.path().join("box"));
        files
    }

    #[tokio::test]
    async fn answers_have_the_shape_that_clients_read() {
        let scratch = Scratch::new();
        let files = files(&scratch);
        let ask = async |name: &str, query: &str| {
            let answer = files.answer(name, &Query::of(query)).expect("it is answered");
            (answer.status().as_u16(), body(answer).await)
        };
        let (status, browsed) = ask("browse.json", "path=/box").await;
        let browsed: serde_json::Value = serde_json::from_str(&browsed).expect("JSON");
        let first = &browsed[0];
        assert_eq!((status, first["path"].as_str(), first["size"].as_u64()), (200, Some("/box/stdout"), Some(8)));
        assert!(first["mode"].as_str().is_some_and(|mode| mode.starts_with("-rw")), "{browsed}");
        assert!(first["uid"].is_string() && first["mtime"].is_i64() && first["nlink"] == 1);
        for (query, expected) in [
            ("path=/box/stdout&offset=-1", r#"{"data":"","offset":8}"#),
            ("path=/box/stdout&offset=0&length=3", r#"{"data":"gr","offset":0}"#),
            ("path=/box/stdout&offset=0&length=4", r#"{"data":"grö","offset":0}"#),
            ("path=/box/stdout&offset=4&length=1000", r#"{"data":"ßer","offset":4}"#),
        ] {
            assert_eq!(ask("read", query).await, (200, expected.to_owned()), "{query}");
        }
        assert_eq!(ask("download", "path=/box/stdout").await, (200, "größer".to_owned()));
        for (name, query, expected) in [
            ("browse", "", 400),
            ("read", "path=/box/stdout&offset=x", 400),
            ("read", "path=/box/stdout&offset=-2", 400),
            ("read", "path=/box&offset=0", 400),
            ("read", "path=/nowhere&offset=0", 404),
            ("download", "path=/box/../box/stdout", 404),
        ] {
            assert_eq!(ask(name, query).await.0, expected, "{name} {query}");
        }
        assert!(files.answer("write", &Query::default()).is_none());
    }

    #[test]
    fn a_mode_is_written_as_people_know_it() {
        assert_eq!(mode_text(0o100_644), "-rw-r--r--");
        assert_eq!(mode_text(0o040_755), "drwxr-xr-x");
    }
}
