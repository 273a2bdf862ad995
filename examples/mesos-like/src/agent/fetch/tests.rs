use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Command as Program;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::*;
use crate::agent::scratch::Scratch;

fn uri(value: &str) -> Uri {
    Uri { value: value.to_owned(), ..Uri::default() }
}

fn fetcher(scratch: &Scratch) -> Fetcher {
    Fetcher::new(scratch.path().join("cache"), 1 << 20, None)
}

fn folder(scratch: &Scratch, name: &str) -> PathBuf {
    let folder = scratch.path().join(name);
    fs::create_dir(&folder).expect("a folder");
    folder
}

/// A server with one file, behind a redirect too, which counts how often it is asked.
async fn server(content: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let count = Arc::clone(&count);
            let service = service_fn(move |request: Request<Incoming>| {
                count.fetch_add(1, Ordering::Relaxed);
                let answer = match request.uri().path() {
                    "/file" => Response::new(Full::new(bytes::Bytes::from_static(content))),
                    "/moved" => {
                        let moved = Response::builder().status(StatusCode::FOUND).header("location", "/file");
                        moved.body(Full::default()).expect("an answer")
                    }
                    _ => Response::builder().status(StatusCode::NOT_FOUND).body(Full::default()).expect("an answer"),
                };
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, asked)
}

#[tokio::test]
async fn a_file_of_the_machine_and_one_of_a_server_are_in_the_sandbox() {
    let scratch = Scratch::new();
    let sandbox = folder(&scratch, "box");
    fs::write(scratch.path().join("run.sh"), "#!/bin/sh").expect("a file");
    let (address, _) = server(b"hello").await;
    let local = scratch.path().join("run.sh").display().to_string();
    let uris = [
        Uri { executable: Some(true), ..uri(&local) },
        Uri { output_file: Some("a/b".to_owned()), ..uri(&format!("file://{local}")) },
        uri(&format!("http://{address}/moved")),
        uri(&format!("http://{address}/file?x=1")),
    ];
    fetcher(&scratch).fetch(&uris, &sandbox, None).await.expect("all is there");
    let mode = fs::metadata(sandbox.join("run.sh")).expect("the script").permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    assert_eq!(fs::read(sandbox.join("a/b")).expect("its copy"), b"#!/bin/sh");
    assert_eq!(fs::read(sandbox.join("moved")).expect("from elsewhere"), b"hello");
    assert_eq!(fs::read(sandbox.join("file")).expect("from the server"), b"hello");
}

#[tokio::test]
async fn an_archive_is_extracted_unless_it_is_not_to_be() {
    let scratch = Scratch::new();
    let (content, sandbox) = (folder(&scratch, "content"), folder(&scratch, "box"));
    fs::write(content.join("inner"), "inner").expect("a file");
    let archive = scratch.path().join("all.tar.gz");
    let packed = Program::new("tar").arg("-C").arg(&content).arg("-czf").arg(&archive).arg("inner").status();
    assert!(packed.expect("tar").success());
    let path = archive.display().to_string();
    let kept = Uri { extract: Some(false), output_file: Some("kept.tar.gz".to_owned()), ..uri(&path) };
    fetcher(&scratch).fetch(&[kept], &sandbox, None).await.expect("it is there");
    assert!(!sandbox.join("inner").exists());
    fetcher(&scratch).fetch(&[uri(&path)], &sandbox, None).await.expect("it is extracted");
    assert_eq!(fs::read(sandbox.join("inner")).expect("what is in it"), b"inner");
}

#[tokio::test]
async fn no_archive_writes_outside_of_the_sandbox() {
    let scratch = Scratch::new();
    let (outside, sandbox) = (folder(&scratch, "outside"), folder(&scratch, "box"));
    let work = folder(&scratch, "work");
    std::os::unix::fs::symlink(&outside, work.join("link")).expect("a link");
    // Archives that mean harm: with a path that leads up, and with a link through which a later file is written.
    let climbing = scratch.path().join("climbing.tar");
    fs::write(scratch.path().join("evil"), "evil").expect("a file");
    let packed = Program::new("tar").current_dir(&work).arg("-Pcf").arg(&climbing).arg("../evil").status();
    assert!(packed.expect("tar").success());
    let linked = scratch.path().join("linked.tar");
    let status = Program::new("tar").current_dir(&work).arg("-cf").arg(&linked).arg("link").status();
    assert!(status.expect("tar").success());
    fs::remove_file(work.join("link")).expect("the link goes");
    fs::create_dir(work.join("link")).expect("a folder in its place");
    fs::write(work.join("link/evil"), "evil").expect("a file");
    let status = Program::new("tar").current_dir(&work).arg("-rf").arg(&linked).arg("link/evil").status();
    assert!(status.expect("tar").success());
    fs::remove_file(scratch.path().join("evil")).expect("it is in the archive");
    for archive in [climbing, linked] {
        // Whether it is an error does not matter.
        let _ = fetcher(&scratch).fetch(&[uri(&archive.display().to_string())], &sandbox, None).await;
    }
    assert!(!outside.join("evil").exists() && !scratch.path().join("evil").exists());
}

#[tokio::test]
async fn what_is_to_be_cached_is_fetched_once_until_there_is_no_room() {
    let scratch = Scratch::new();
    let sandbox = folder(&scratch, "box");
    let (address, asked) = server(&[7; 1000]).await;
    let cached = |path: &str| Uri { cache: Some(true), ..uri(&format!("http://{address}/{path}")) };
    let fetcher = Fetcher::new(scratch.path().join("cache"), 1500, None);
    for _ in 0..3 {
        fetcher.fetch(&[cached("file")], &sandbox, None).await.expect("it is there");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    fetcher.fetch(&[cached("file?other")], &sandbox, None).await.expect("it is there");
    let files = fs::read_dir(scratch.path().join("cache")).expect("the cache").count();
    assert_eq!(files, 1, "the older one had to go");
    assert_eq!(fs::read(sandbox.join("file")).expect("a copy").len(), 1000);
}

#[tokio::test]
async fn what_cannot_be_fetched_is_named_with_why() {
    let scratch = Scratch::new();
    let sandbox = folder(&scratch, "box");
    let (address, _) = server(&[7; 1000]).await;
    let mut small = fetcher(&scratch);
    small.downloads = Downloads::up_to(999);
    let gone = format!("http://{address}/gone");
    let error = small.fetch(&[uri(&gone)], &sandbox, None).await.expect_err("there is none");
    assert!(error.to_string().contains(&gone) && error.to_string().contains("404"), "{error}");
    let error = small.fetch(&[uri(&format!("http://{address}/file"))], &sandbox, None).await.expect_err("too large");
    assert!(error.to_string().contains("larger than the 999 bytes"), "{error}");
    assert!(!sandbox.join("file").exists());
    let error = small.fetch(&[uri("/no/such/file")], &sandbox, None).await.expect_err("there is none");
    assert!(error.to_string().contains("No such file"), "{error}");
}
