// npm's mesos-framework: subscribes, launches, kills, reconciles, tears down.
//
// usage: node mesos_framework.js HOST PORT
"use strict";
const { Scheduler, Mesos } = require("mesos-framework");

const mesos = Mesos.getMesos();
const say = (event, what) => console.log(JSON.stringify(Object.assign({ event }, what)));
setTimeout(() => { console.error("took longer than 60 s"); process.exit(2); }, 60000).unref();

const scheduler = new Scheduler({
    masterUrl: process.argv[2],
    port: process.argv[3],
    user: "",
    frameworkName: "node",
    frameworkFailoverTimeout: 60,
    logging: { level: "error" },
    restartStates: [],
    tasks: {
        sleeper: {
            priority: 1,
            instances: 1,
            commandInfo: new mesos.CommandInfo(null, null, true, "sleep 1000", null, null),
            resources: { cpus: 0.1, mem: 32, ports: 1, disk: 0 },
        },
    },
});
let running = null;
let asked = false;

scheduler.on("ready", () => scheduler.subscribe());
scheduler.on("subscribed", (subscribed) => say("registered", { framework_id: subscribed.frameworkId }));
scheduler.on("offers", (offers) => say("offers", { count: offers.offers.length }));
scheduler.on("error", (error) => say("error", { message: String(error.message || error) }));
scheduler.on("update", ({ status }) => {
    const pid = status.container_status && status.container_status.executor_pid;
    say("update", { task: status.task_id.value, state: status.state, pid, reason: status.reason });
    if (status.state === "TASK_RUNNING" && !running) {
        running = status;
        scheduler.reconcile(status.task_id.value, status.agent_id.value);
        asked = true;
    } else if (status.state === "TASK_RUNNING" && asked) {
        asked = false;
        scheduler.kill(status.task_id.value, status.agent_id.value);
    } else if (status.state === "TASK_KILLED") {
        say("done");
        scheduler.teardown();
        setTimeout(() => process.exit(0), 500);
    }
});
