use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;

/// A folder that is gone after the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("orch-static-pods-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), text).expect("written");
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn manifest(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  containers:\n  - name: main\n    image: {name}\n"
    )
}

/// Each file, with the names of its pods, or what is said about it.
async fn told(folder: &PodFolder) -> Vec<String> {
    let files = folder.files().await.expect("a folder");
    let words = files.into_iter().map(|file| match file.pods {
        Ok(pods) => {
            let names = pods.iter().map(|pod| format!("{}@{}", pod.pod.metadata.name, pod.line));
            format!("{}: {}", file.name, names.collect::<Vec<_>>().join(", "))
        }
        Err(error) => format!("{}: {error}", file.name),
    });
    words.collect()
}

#[tokio::test(start_paused = true)]
async fn a_folder_is_followed_while_files_are_written_changed_broken_and_removed() {
    let temporary = Temporary::new("life");
    let folder = PodFolder::new(&temporary.0);
    assert_eq!(told(&folder).await, [""; 0]);
    temporary.write("web.yaml", manifest("web"));
    temporary.write("more.yml", format!("{}---\n{}", manifest("a"), manifest("b")));
    temporary.write(
        "db.json",
        r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db"},
        "spec": {"containers": [{"name": "db", "image": "db"}]}}"#,
    );
    assert_eq!(told(&folder).await, ["db.json: db@1", "more.yml: a@1, b@10", "web.yaml: web@1"]);
    temporary.write("web.yaml", manifest("web2"));
    temporary.write("more.yml", manifest("a").replace("image", "imagee"));
    fs::remove_file(temporary.0.join("db.json")).expect("removed");
    let found = told(&folder).await;
    assert_eq!(found[1], "web.yaml: web2@1");
    let path = "more.yml: line 8, column 5: spec.containers[0].imagee: unknown field, did you mean \"image\"?";
    assert!(found[0].starts_with(path), "{found:?}");
    fs::remove_dir_all(&temporary.0).expect("removed");
    let error = folder.files().await.expect_err("no folder").to_string();
    assert!(error.contains("No such file or directory") && error.contains("orch-static-pods"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_manifest_is_passed_over_and_what_looks_like_one_says_why_it_is_none() {
    let temporary = Temporary::new("odd");
    for name in [".hidden.yaml", ".web.yaml.swp", "web.yaml~", "#web.yaml#", "README.md", "web.yaml.bak"] {
        temporary.write(name, "no manifest");
    }
    temporary.write("a-empty.yaml", "");
    temporary.write("b-binary.yaml", b"name: \xff");
    temporary.write("c-large.yaml", vec![b'#'; OBJECT_BYTES_MAX + 1]);
    fs::create_dir(temporary.0.join("d-folder.yaml")).expect("a folder");
    temporary.write("e-kind.yaml", manifest("web").replace("kind: Pod", "kind: Deployment"));
    symlink("/dev/null", temporary.0.join("f-out.yaml")).expect("a link");
    symlink("nowhere", temporary.0.join("g-dangling.yaml")).expect("a link");
    let _socket = UnixListener::bind(temporary.0.join("h-socket.yaml")).expect("a socket");
    let found = told(&PodFolder::new(&temporary.0)).await;
    let expected = [
        "a-empty.yaml: it holds no pod",
        "b-binary.yaml: byte 6 is not UTF-8 text",
        "c-large.yaml: it is longer than 1572864 bytes",
        "d-folder.yaml: it is no regular file",
        "e-kind.yaml: line 1: unknown kind v1 Deployment (kinds here: v1 Pod)",
        "f-out.yaml: it is a link that leads out of the folder",
        "g-dangling.yaml: cannot read it: No such file",
        "h-socket.yaml: it is no regular file",
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mounted_config_map_is_a_folder_like_any_other() {
    let temporary = Temporary::new("map");
    for (version, name) in [("..v1", "web"), ("..v2", "web2")] {
        fs::create_dir(temporary.0.join(version)).expect("a folder");
        temporary.write(&format!("{version}/web.yaml"), manifest(name));
    }
    symlink("..v1", temporary.0.join("..data")).expect("a link");
    symlink("..data/web.yaml", temporary.0.join("web.yaml")).expect("a link");
    let folder = PodFolder::new(&temporary.0);
    assert_eq!(told(&folder).await, ["web.yaml: web@1"]);
    symlink("..v2", temporary.0.join("..next")).expect("a link");
    fs::rename(temporary.0.join("..next"), temporary.0.join("..data")).expect("moved");
    assert_eq!(told(&folder).await, ["web.yaml: web2@1"]);
}

#[tokio::test(start_paused = true)]
async fn more_files_than_anybody_writes_are_refused_as_a_whole() {
    let temporary = Temporary::new("many");
    for number in 0..=FILES_MAX {
        temporary.write(&format!("{number}.yaml"), "");
    }
    let error = PodFolder::new(&temporary.0).files().await.expect_err("too many");
    assert_eq!(error, PodSourceError::TooManyFiles { limit: FILES_MAX });
}

#[tokio::test(start_paused = true)]
async fn half_a_file_does_not_count_while_it_is_written() {
    let temporary = Temporary::new("half");
    let folder = PodFolder::new(&temporary.0);
    let whole = format!("{}---\n{}", manifest("a"), manifest("b"));
    temporary.write("web.yaml", &whole[..manifest("a").len()]);
    let write = async {
        tokio::time::sleep(SETTLED_AFTER / 2).await;
        temporary.write("web.yaml", &whole);
    };
    let (found, ()) = tokio::join!(told(&folder), write);
    assert_eq!(found, ["web.yaml: a@1, b@10"]);
}
