"""chronos-python: adds jobs at times and after others, lists, finds, runs and measures them, kills and deletes them; and
what is refused.

usage: chronos_jobs.py HOST:PORT,HOST:PORT,... FILE
Its jobs write into FILE.
"""
import logging
import sys
import time

import chronos
from told import give_up, limit, say

SERVERS, FILE = sys.argv[1].split(","), sys.argv[2]


class Told(logging.Handler):
    """What the library logs: it keeps the reasons of refusals to itself otherwise."""

    def emit(self, record):
        if record.levelno >= logging.ERROR:
            say("logged", message=record.getMessage())


logging.getLogger("chronos").addHandler(Told())
logging.getLogger("chronos").propagate = False

client = chronos.connect(SERVERS)


def job(name, **rest):
    command = "echo %s $CHRONOS_JOB_RUN_ATTEMPT >> %s" % (name, FILE)
    return dict({"name": name, "command": command, "owner": "me@example.org", "disabled": False,
                 "cpus": 0.1, "mem": 32, "disk": 1}, **rest)


def refused(what, call):
    try:
        call()
        give_up("%s is not refused" % what)
    except chronos.ChronosAPIError as error:
        say("refused", what=what, message=str(error))
    except chronos.ChronosValidationError as error:
        say("invalid", what=what, message=str(error))


def wait_for(name, successes):
    while True:
        found = [one for one in client.list() if one["name"] == name]
        if found and found[0]["successCount"] >= successes:
            return found[0]
        time.sleep(0.1)


limit(60)
say("empty", jobs=client.list(), graph=client.scheduler_graph())
say("added", answer=client.add(job("parent", schedule="R2//PT2S", epsilon="PT15M")))
client.add(job("child", parents=["parent"]))
client.add(job("sleeper", schedule="R1//PT24H", command="sleep 1000"))
client.add({"name": "boxed", "command": "true", "owner": "", "disabled": True, "schedule": "R/2040-01-01T00:00:00Z/P1M",
            "container": {"type": "DOCKER", "image": "busybox", "volumes": []}})
say("parent", **wait_for("parent", 2))
say("child", **wait_for("child", 2))
say("jobs", names=sorted(one["name"] for one in client.list()))
say("search", names=[one["name"] for one in client.search(name="ent")],
    commands=[one["name"] for one in client.search(command="sleep")])
client.add(job("parent", schedule="R/2040-01-01T00:00:00Z/P1D"), update=True)
say("ran", answer=client.run("parent"))
wait_for("parent", 1)
wait_for("child", 3)
say("stat", **client.job_stat("parent"))
say("graph", text=client.scheduler_graph())
for name in ("99th", "98th", "95th", "75th", "median", "mean"):
    say("measure", name=name, jobs=getattr(client, "scheduler_stat_%s" % name)())
say("metrics", keys=sorted(client.metrics()))
say("before", sleeper=[one["status"] for one in client.job_stat("sleeper")["taskStatHistory"]])
say("killed", answer=client.delete_tasks("sleeper"))
while True:
    history = client.job_stat("sleeper")["taskStatHistory"]
    if [one["status"] for one in history] == ["Fail"]:
        break
    time.sleep(0.1)
say("deleted", answer=client.delete("sleeper"))

refused("cron", lambda: client.add(job("cron", schedule="0 4 * * *")))
refused("parent", lambda: client.add(job("orphan", parents=["nobody"])))
refused("cycle", lambda: client.add(job("parent", parents=["child"])))
refused("name", lambda: client.add(job("a b", schedule="R//PT1H")))
refused("unknown", lambda: client.run("nobody"))
refused("field", lambda: client.add({"name": "x", "command": "true", "schedule": "R//PT1H"}))
refused("both", lambda: client.add(job("x", schedule="R//PT1H", parents=["parent"])))
client.delete("parent")
say("heir", **client.search(name="child")[0])
say("left", names=sorted(one["name"] for one in client.list()))
say("done")
