//! The registry of the test kit serves the stock clients, and fails as told.

use std::time::Duration;

use orch_testkit::daemon::{Containerd, Dockerd, Registry, RegistryAccess, RegistryFault, busybox_image};
use orch_testkit::suite::run;

#[test]
fn dockerd_pulls_by_tag_and_by_digest() {
    run(async {
        let dockerd = Dockerd::shared().await;
        let registry = Registry::start(dockerd.host());
        let image = busybox_image().label("for", "pulls");
        let name = registry.offer(&image, "some/busybox", "test");
        pull(dockerd, &name).expect("a pull");
        let printed = dockerd.docker(["run", "--rm", &name, "echo", "pulled"]);
        assert_eq!(String::from_utf8_lossy(&printed.stdout), "pulled\n");
        pull(dockerd, &format!("{}/some/busybox@{}", registry.address(), image.digest())).expect("a pull");
        let requests = registry.requests();
        let asked = |end: &str| requests.iter().any(|request| request.ends_with(end));
        assert!(asked(" /v2/some/busybox/manifests/test 200"), "{requests:#?}");
        assert!(asked(&format!(" /v2/some/busybox/manifests/{} 200", image.digest())), "{requests:#?}");
        let unknown = pull(dockerd, &format!("{}/some/busybox:other", registry.address()));
        assert!(unknown.expect_err("nobody offered it").contains("manifest unknown"));
    });
}

#[test]
fn containerd_pulls() {
    run(async {
        let containerd = Containerd::shared().await;
        let registry = Registry::start(containerd.host());
        let name = registry.offer(&busybox_image(), "busybox", "test");
        let namespace = containerd.unique_namespace();
        // The stock client pulls by itself, so it has to be in the host too.
        let _inside = containerd.host().enter();
        let pulled = containerd.ctr(["--namespace", &namespace, "images", "pull", "--plain-http", &name]);
        assert!(pulled.status.success(), "{}", String::from_utf8_lossy(&pulled.stderr));
    });
}

#[test]
fn a_password_is_asked_for_with_and_without_tokens() {
    run(async {
        let dockerd = Dockerd::shared().await;
        for access in [RegistryAccess::Basic, RegistryAccess::Bearer] {
            let registry = Registry::start(dockerd.host());
            let address = registry.address();
            let name = registry.offer(&busybox_image(), "private", "test");
            registry.require(access("me".to_owned(), "secret".to_owned()));
            pull(dockerd, &name).expect_err("a pull without a password");
            let log_in = |password: &str| dockerd.docker(["login", "--username=me", "--password", password, &address]);
            assert!(!log_in("guess").status.success());
            let welcome = log_in("secret");
            assert!(welcome.status.success(), "{}", String::from_utf8_lossy(&welcome.stderr));
            pull(dockerd, &name).expect("a pull with the password");
        }
    });
}

#[test]
fn pulls_fail_as_told_and_succeed_afterwards() {
    run(async {
        let dockerd = Dockerd::start().await;
        let registry = Registry::start(dockerd.host());
        // Each image has a layer that no other pull brought.
        let offer = |number: usize| {
            let image = busybox_image().file("number", 0o644, number.to_string().as_bytes());
            registry.offer(&image, "faulty", &number.to_string())
        };
        let faults = [
            (RegistryFault::Status(401), "unauthorized"),
            (RegistryFault::Status(404), "manifest unknown"),
            (RegistryFault::Status(500), "500"),
            (RegistryFault::WrongDigest, "digest"),
        ];
        for (number, (fault, words)) in faults.into_iter().enumerate() {
            let name = offer(number);
            registry.fail(fault.clone());
            let error = pull(&dockerd, &name).expect_err("a pull from a faulty registry");
            assert!(error.to_lowercase().contains(words), "{fault}: {error}");
        }
        let name = offer(10);
        registry.fail(RegistryFault::Slow(Duration::from_millis(300)));
        pull(&dockerd, &name).expect("a slow pull");
        registry.fail(None);
        pull(&dockerd, &offer(11)).expect("a pull");
    });
}

#[test]
fn a_truncated_blob_ends_early() {
    use std::io::{Read as _, Write as _};
    run(async {
        let containerd = Containerd::shared().await;
        let registry = Registry::start(containerd.host());
        let image = busybox_image().label("for", "truncation");
        registry.offer(&image, "busybox", "test");
        registry.fail(RegistryFault::TruncatedBlob);
        let manifest: serde_json::Value = serde_json::from_slice(&image.manifest()).expect("JSON");
        let config = &manifest["config"];
        let _inside = containerd.host().enter();
        let mut stream = std::net::TcpStream::connect(registry.address()).expect("a connection");
        let digest = config["digest"].as_str().expect("a digest");
        write!(stream, "GET /v2/busybox/blobs/{digest} HTTP/1.1\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let size = config["size"].as_u64().expect("a size");
        assert!(head.contains(&format!("Content-Length: {size}")), "{head}");
        assert_eq!(body.len() as u64, size / 2);
    });
}

/// The error is what the stock client printed.
fn pull(dockerd: &Dockerd, name: &str) -> Result<(), String> {
    let output = dockerd.docker(["pull", name]);
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
