// npm's mesos-framework: subscribes, launches, has what failed once launched again, reconciles, kills, tears down.
//
// usage: node mesos_framework.js HOST PORT
"use strict";
const fs = require("fs");
const os = require("os");
const path = require("path");
const { Scheduler, Mesos } = require("mesos-framework");

const mesos = Mesos.getMesos();
const say = (event, what) => console.log(JSON.stringify(Object.assign({ event }, what)));
// It ends where it cannot write its log.
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mesos-framework-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
const command = "mkdir " + path.join(folder, "failed") + " && exit 1 || exec sleep 1000";
// It also ends, without an error, when there is nothing that it waits for.
process.exitCode = 2;
setTimeout(() => { console.error("took longer than 60 s"); process.exit(2); }, 60000).unref();

const scheduler = new Scheduler({
    masterUrl: process.argv[2],
    port: process.argv[3],
    user: os.userInfo().username,
    frameworkName: "node",
    frameworkFailoverTimeout: 60,
    logging: { level: "error", path: folder, fileName: "log" },
    restartStates: ["TASK_FAILED"],
    tasks: {
        sleeper: {
            priority: 1,
            instances: 1,
            commandInfo: new mesos.CommandInfo(null, null, true, command, null, null),
            resources: { cpus: 0.1, mem: 32, ports: 1, disk: 0 },
        },
    },
});
let failed = false;
let asked = false;
let over = false;

scheduler.on("ready", () => scheduler.subscribe());
scheduler.on("subscribed", (subscribed) => say("registered", { framework_id: subscribed.frameworkId }));
scheduler.on("offers", (offers) => say("offers", { count: offers.offers.length }));
// That the master ends the stream of who has torn down is an error to it.
scheduler.on("error", (error) => over || say("error", { message: String(error.message || error) }));
scheduler.on("sent_teardown", () => process.exit(0));
scheduler.on("update", ({ status }) => {
    const pid = status.container_status && status.container_status.executor_pid;
    say("update", { task: status.task_id.value, state: status.state, pid, reason: status.reason });
    if (status.state === "TASK_FAILED") {
        failed = true;
    } else if (status.state === "TASK_RUNNING" && failed && !asked) {
        asked = true;
        scheduler.reconcile(status.task_id.value, status.agent_id.value);
    } else if (status.state === "TASK_RUNNING" && asked) {
        scheduler.kill(status.task_id.value, status.agent_id.value);
    } else if (status.state === "TASK_KILLED") {
        say("done");
        over = true;
        scheduler.teardown();
    }
});
