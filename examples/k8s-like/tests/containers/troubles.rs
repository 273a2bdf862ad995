//! Pods that cannot run, or must not run on: what is told of them, and that the others do not notice.

use serde_json::Value;

use super::cluster::{Cluster, IMAGE, Kind, container, on_both, web};

on_both!(each_trouble_is_told_and_disturbs_no_other_pod);

/// A pod that runs a script.
fn pod(name: &str, script: &str, container: &str, pod: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {{name: main, image: {IMAGE}, command: [/bin/sh, -c, {script:?}]{container}}}
{pod}"
    )
}

fn manifest(with_settings: bool) -> String {
    let settings = "---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {greeting: good morning}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: shop}
stringData: {key: opens}
";
    let greeting = ", env: [{name: GREETING, valueFrom: {configMapKeyRef: {name: settings, key: greeting}}}]";
    let key = ", volumeMounts: [{name: key, mountPath: /key, readOnly: true}]";
    let disk = ", volumeMounts: [{name: data, mountPath: /data}]";
    let bad = |name: &str, image: &str, more: &str| {
        let text = pod(name, "sleep 1000", more, "");
        text.replace(&format!("image: {IMAGE}"), &format!("image: {image}"))
    };
    [
        web(2),
        // Docker hears of the kernel's reason only some time after the start.
        pod("oom", "sleep 1; exec tail /dev/zero", ", resources: {limits: {memory: 16Mi}}", "  restartPolicy: Never\n"),
        pod(
            "full",
            "dd if=/dev/zero of=/data/a bs=1M count=3; sleep 1000",
            disk,
            "  volumes: [{name: data, emptyDir: {sizeLimit: 1Mi}}]\n",
        ),
        pod(
            "memory",
            "dd if=/dev/zero of=/data/a bs=1M count=3; echo code $?; sleep 1000",
            disk,
            "  volumes: [{name: data, emptyDir: {sizeLimit: 1Mi, medium: Memory}}]\n",
        ),
        bad("never", "shop/none:1", ", imagePullPolicy: Never"),
        bad("away", "127.0.0.1:1/shop/none:1", ""),
        pod("command", "", "", "").replace("/bin/sh", "/no/such/program"),
        pod("greets", "echo $GREETING; sleep 1000", greeting, ""),
        pod("opens", "echo $(cat /key/key); sleep 1000", key, "  volumes: [{name: key, secret: {secretName: key}}]\n"),
        pod("words", "echo last words > /dev/termination-log; exit 3", "", "  restartPolicy: Never\n"),
        pod(
            "first",
            "cat /data/a; sleep 1000",
            disk,
            &format!(
                "  volumes: [{{name: data, emptyDir: {{}}}}]
  initContainers:
    - {{name: init, image: {IMAGE}, command: [/bin/sh, -c, echo prepared > /data/a], volumeMounts: [{{name: data, mountPath: /data}}]}}
"
            ),
        ),
        if with_settings { settings.to_owned() } else { String::new() },
    ]
    .concat()
}

async fn each_trouble_is_told_and_disturbs_no_other_pod(kind: Kind) {
    let cluster = Cluster::start(kind, 1, &manifest(false)).await;
    cluster.ready("web", 2);
    let until = |pod: &str, what: &str, holds: &dyn Fn(&Value) -> bool| {
        cluster.until(&format!("{pod}: {what}"), || cluster.pods(pod).into_iter().find(|pod| holds(pod)))
    };
    let waits = |reason: &'static str| move |pod: &Value| container(pod)["state"]["waiting"]["reason"] == reason;
    let oom = until("oom", "is out of memory", &|pod| container(pod)["state"]["terminated"].is_object());
    let end = &container(&oom)["state"]["terminated"];
    assert_eq!((&end["reason"], &end["exitCode"]), (&"OOMKilled".into(), &137.into()), "{end}");
    until("never", "has no image", &waits("ErrImageNeverPull"));
    until("away", "waits for its registry", &waits("ImagePullBackOff"));
    until("greets", "has no greeting", &waits("CreateContainerConfigError"));
    until("opens", "has no key", &waits("ContainerCreating"));
    cluster.until("opens: why is told", || {
        let of_opens = |event: &Value| event["involvedObject"]["name"] == "opens" && event["reason"] == "FailedMount";
        cluster.get("events").into_iter().find(of_opens)
    });
    let missing = until("command", "cannot start", &|pod| {
        let state = container(pod);
        [&state["state"], &state["lastState"]].iter().any(|state| state["terminated"]["reason"] == "StartError")
    });
    assert!(container(&missing).to_string().contains("/no/such/program"), "{}", container(&missing));
    let words = until("words", "has ended", &|pod| pod["status"]["phase"] == "Failed");
    let end = &container(&words)["state"]["terminated"];
    assert_eq!((&end["message"], &end["exitCode"]), (&"last words\n".into(), &3.into()), "{end}");
    let full = until("full", "is evicted", &|pod| pod["status"]["reason"] == "Evicted");
    assert!(full["status"]["message"].to_string().contains("data"), "{}", full["status"]["message"]);
    let logs = |pod: &str| String::from_utf8_lossy(&cluster.ask(&["logs", "-n", "shop", pod]).stdout).into_owned();
    cluster.until("memory: the write fails", || logs("memory").contains("code 1").then_some(()));
    cluster.ready("memory", 1);
    cluster.until("first: what was prepared is there", || (logs("first") == "prepared\n").then_some(()));
    cluster.write(&manifest(true));
    for (pod, said) in [("greets", "good morning\n"), ("opens", "opens\n")] {
        cluster.ready(pod, 1);
        cluster.until(&format!("{pod}: what was missing is seen"), || (logs(pod) == said).then_some(()));
    }
    for pod in cluster.ready("web", 2) {
        assert_eq!(container(&pod)["restartCount"], 0, "the others did not notice");
    }
}
