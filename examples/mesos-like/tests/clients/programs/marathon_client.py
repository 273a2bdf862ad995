"""The client `marathon`: everything that it can ask for, while it listens to what happens.

usage: marathon_client.py SCENARIO URL[,URL…] [FILE]
  tour     asks for everything; FILE can be fetched
  refused  asks for what is refused
  leader   lets the leader abdicate, and goes on
Each method that was called is said at the end.
"""
import logging
import sys
import threading
import time

from marathon import MarathonClient
from marathon.exceptions import ConflictError, MarathonHttpError, NotFoundError
from marathon.models import MarathonApp, MarathonGroup, MarathonHealthCheck
from marathon.models.app import MarathonUnreachableStrategy, MarathonUpgradeStrategy, PortDefinition, ReadinessCheck
from marathon.models.events import MarathonEvent

from told import give_up, limit, say

SCENARIO, URLS = sys.argv[1], sys.argv[2].split(",")
called = set()
logging.disable(logging.CRITICAL)


class Recorded:
    """A client that remembers what it was asked for."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        called.add(name)
        return getattr(self._client, name)


client = Recorded(MarathonClient(URLS, timeout=20))


def wait(what, is_so):
    until = time.time() + 60
    while time.time() < until:
        found = is_so()
        if found:
            return found
        time.sleep(0.1)
    give_up("waited for " + what)


def settle():
    wait("the end of deployments", lambda: client.list_deployments() == [])


def equal(found, expected):
    if found != expected:
        raise AssertionError("%r is not %r" % (found, expected))


def small(**more):
    return MarathonApp(cmd="exec sleep 1000", cpus=0.1, mem=16, task_kill_grace_period_seconds=1, **more)


class Listener(threading.Thread):
    """Takes typed events until the stream ends, in its own time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.events, self.error = [], None
        self.stream = client.event_stream()
        self.start()
        wait("the stream", lambda: self.events)

    def run(self):
        try:
            for event in self.stream:
                self.events.append(event)
        except Exception as error:  # whatever it is, the program's end says it
            self.error = error

    def of(self, deployment):
        """The types of the events of a deployment, in order."""
        mine = []
        for event in self.events:
            plan = getattr(event, "plan", None)
            if (plan.id if plan else getattr(event, "id", None)) == deployment:
                mine.append(event.event_type)
        return mine


def states(listener):
    equal(client.ping(), b"pong")
    info = client.get_info()
    equal((info.name, info.elected, info.marathon_config.checkpoint), ("marathon", True, True))
    equal(client.get_leader()["leader"], info.leader)
    assert "gauges" in client.get_metrics()
    equal(type(listener.events[0]).__name__, "MarathonEventStreamAttached")


def create(path):
    made = client.create_app("web", small(instances=2))
    equal((made.id, made.instances, len(made.deployments)), ("/web", 2, 1))
    full = client.create_app("/shop/full", small(
        instances=2, labels={"tier": "front"}, env={"A": "b"},
        constraints=[("hostname", "UNIQUE")],
        port_definitions=[PortDefinition(port=0, protocol="tcp", name="http-api")],
        fetch=[{"uri": path, "extract": False, "destPath": "fetched"}],
        health_checks=[MarathonHealthCheck(protocol="COMMAND", command="test -e fetched", interval_seconds=1,
                                           grace_period_seconds=60, delaySeconds=0)],
        upgrade_strategy=MarathonUpgradeStrategy(maximum_over_capacity=0.5, minimum_health_capacity=0.5),
        unreachable_strategy=MarathonUnreachableStrategy(inactive_after_seconds=1, expunge_after_seconds=2),
        kill_selection="OLDEST_FIRST", backoff_seconds=1, backoff_factor=1.5, max_launch_delay_seconds=60,
        accepted_resource_roles=["*"], require_ports=False,
    ), minimal=False)
    equal([(c.field, c.operator, c.value) for c in full.constraints], [("hostname", "UNIQUE", None)])
    equal((full.upgrade_strategy.maximum_over_capacity, full.kill_selection), (0.5, "OLDEST_FIRST"))
    settle()
    return made.deployments[0].id


def read():
    def ids(**how):
        return sorted(app.id for app in client.list_apps(**how))

    equal(ids(), ["/shop/full", "/web"])
    equal(ids(cmd="sleep 10"), ["/shop/full", "/web"])
    equal(ids(cmd="nothing"), [])
    equal(ids(app_id="full"), ["/shop/full"])
    for label, expected in [("tier==front", 1), ("tier", 1), ("tier!=front", 1), ("tier in (a,front)", 1), ("none", 0)]:
        equal(len(ids(label=label)), expected)
    equal(ids(instances=2), ["/shop/full", "/web"])
    everything = dict(embed_tasks=True, embed_counts=True, embed_deployments=True, embed_readiness=True,
                      embed_last_task_failure=True, embed_failures=True, embed_task_stats=True)
    for name in everything:
        equal(len(client.list_apps(**{name: True})), 2)
        client.get_app("web", **{name: True})
    app = [app for app in client.list_apps(**everything) if app.id == "/shop/full"][0]
    equal((len(app.tasks), app.tasks_running, app.tasks_healthy, app.tasks_unhealthy, app.tasks_staged), (2, 2, 2, 0, 0))
    equal(app.task_stats.total_summary.stats.counts.healthy, 2)
    equal(app.tasks[0].health_check_results[0].alive, True)
    equal(client.get_app("/shop/full").fetch[0]["uri"], sys.argv[3])
    tasks = client.list_tasks()
    equal((len(tasks), {task.state for task in tasks}), (4, {"TASK_RUNNING"}))
    equal(len(client.list_tasks("shop/full")), 2)
    ends = client.list_endpoints()
    equal(sorted(end.app_id for end in ends if end.app_id == "/shop/full"), ["/shop/full"] * 2)


def change():
    first = client.list_versions("web")
    equal(len(first), 1)
    done = client.scale_app("web", instances=3)
    settle()
    client.scale_app("web", delta=-2)
    settle()
    equal(client.get_app("web").instances, 1)
    assert done["version"] in client.list_versions("web")
    equal(client.get_version("web", done["version"]).instances, 3)
    # What was shown is what it is to be, but for one thing.
    for minimal in (True, False):
        app = client.get_app("web", embed_task_stats=True)
        app.env["CHANGED"] = str(minimal)
        client.update_app("web", app, minimal=minimal)
        settle()
        equal(client.get_app("web").env, {"CHANGED": str(minimal)})
    full = client.get_app("/shop/full")
    full.labels["more"] = "x"
    client.update_app("/shop/full", full)
    settle()
    equal(client.get_app("/shop/full").labels, {"tier": "front", "more": "x"})
    client.update_apps([MarathonApp(id="/web", instances=2), small(id="/new", instances=1)])
    settle()
    equal((client.get_app("web").instances, client.get_app("new").tasks_running), (2, 1))
    before = {task.id for task in client.list_tasks("web")}
    client.restart_app("web")
    settle()
    after = {task.id for task in client.list_tasks("web")}
    equal((len(after), before & after), (2, set()))
    client.rollback_app("web", first[0])
    settle()
    equal(client.get_app("web").env, {})
    equal(len(client.list_versions("web")), 8)


def kill():
    def tasks():
        return {task.id for task in client.list_tasks("web") if task.state == "TASK_RUNNING"}

    def others(gone):
        wait("other tasks", lambda: len(tasks()) == 2 and not tasks() & gone)

    one = sorted(tasks())[0]
    equal(client.kill_task("web", one).id, one)
    others({one})
    all_of_them = tasks()
    equal({task.id for task in client.kill_tasks("web")}, all_of_them)
    others(all_of_them)
    equal(client.kill_tasks("web", host="nowhere"), [])
    assert client.kill_given_tasks(sorted(tasks()))
    wait("two others", lambda: len(tasks()) == 2)
    assert "deploymentId" in client.kill_task("web", sorted(tasks())[0], scale=True)
    settle()
    equal(client.get_app("web").instances, 1)
    assert "deploymentId" in client.kill_tasks("web", scale=True)
    settle()
    client.scale_app("web", 1)
    settle()
    assert client.kill_given_tasks(sorted(tasks()), scale=True, force=True)
    settle()
    equal((client.get_app("web").instances, client.list_tasks("web")), (0, []))


def groups():
    inner = MarathonGroup(id="/team/inner", apps=[small(id="/team/inner/b", instances=1)])
    group = MarathonGroup(id="/team", apps=[small(id="/team/a", instances=1)], groups=[inner])
    client.create_group(group)
    settle()
    found = client.get_group("team")
    equal((found.id, found.apps[0].id, found.groups[0].apps[0].id), ("/team", "/team/a", "/team/inner/b"))
    assert "/team" in [group.id for group in client.list_groups()]
    version = found.version
    client.scale_group("team", 2)
    settle()
    equal([client.get_app(app).instances for app in ("team/a", "team/inner/b")], [2, 2])
    client.update_group("team", MarathonGroup(apps=[small(id="/team/a", instances=3)]))
    settle()
    equal(client.get_app("team/a").instances, 3)
    client.rollback_group("team", version)
    settle()
    equal([client.get_app(app).instances for app in ("team/a", "team/inner/b")], [1, 1])
    client.delete_group("team", force=True)
    settle()


def queue():
    client.create_app("large", MarathonApp(cmd="true", cpus=1000, mem=16))
    waits = wait("a refusal", lambda: [item for item in client.list_queue(embed_last_unused_offers=True)
                                       if item.processed_offers_summary["unusedOffersCount"] > 0])[0]
    equal((waits.app.id, waits.count, waits.delay.overdue), ("/large", 1, True))
    reasons = {reason["reason"]: reason["declined"] for reason in waits.processed_offers_summary["rejectSummaryLastOffers"]}
    assert reasons["InsufficientCpus"] > 0 and waits.last_unused_offers
    client.reset_delay("large")
    equal(len(client.list_queue()), 1)
    deployment = client.list_deployments()[0]
    equal((deployment.affected_apps, deployment.current_actions[0].action), (["/large"], "ScaleApplication"))
    # It stays as it is; and goes back to what it was.
    equal(client.delete_deployment(deployment.id, force=True), {})
    settle()
    client.update_app("large", MarathonApp(instances=2))
    back = client.delete_deployment(client.list_deployments()[0].id)
    assert back["deploymentId"] and back["version"]
    wait("one instance", lambda: client.get_app("large").instances == 1)
    equal([client.delete_app(app, force=True).keys() for app in ("large", "web", "new", "shop/full")],
          [{"version", "deploymentId"}] * 4)
    settle()
    equal((client.list_apps(), client.list_tasks()), ([], []))


def tour():
    listener = Listener()
    states(listener)
    deployment = create(sys.argv[3])
    read()
    change()
    kill()
    groups()
    queue()
    kinds = wait("its events", lambda: "deployment_success" in listener.of(deployment) and listener.of(deployment))
    equal((kinds[0], kinds[-1]), ("deployment_info", "deployment_success"))
    assert "deployment_step_success" in kinds
    terminated = wait("an end", lambda: [event for event in listener.events if event.event_type == "app_terminated_event"])
    assert terminated[0].app_id
    assert all(isinstance(event, MarathonEvent) for event in listener.events)
    only = client.event_stream(raw=True, event_types=["deployment_success"])
    client.create_app("last", small())
    assert "deployment_success" in next(only)
    settle()
    client.delete_app("last")
    settle()
    equal(listener.error, None)
    say("events", kinds=sorted({event.event_type for event in listener.events}))


def refused():
    def refusal(kind, call):
        try:
            call()
        except MarathonHttpError as error:
            equal(type(error), kind)
            return error
        raise AssertionError("it is not refused")

    equal(refusal(NotFoundError, lambda: client.get_app("nobody")).error_message, "App '/nobody' does not exist")
    refusal(NotFoundError, lambda: client.kill_task("nobody", "none"))
    refusal(NotFoundError, lambda: client.get_group("nobody"))
    refusal(NotFoundError, lambda: client.reset_delay("nobody"))
    refusal(NotFoundError, lambda: client.delete_deployment("nobody"))
    large = MarathonApp(cmd="true", cpus=1000, mem=16)
    client.create_app("large", large)
    exists = refusal(ConflictError, lambda: client.create_app("large", large))
    equal((exists.status_code, exists.error_message), (409, "An app with id [/large] already exists."))
    locked = refusal(ConflictError, lambda: client.scale_app("large", 2))
    assert "force=true" in locked.error_message
    client.scale_app("large", 2, force=True)
    wrong = refusal(MarathonHttpError, lambda: client.create_app("wrong", MarathonApp(
        cmd="true", constraints=[("rack", "NEAR")], readiness_checks=[ReadinessCheck(port_name="none")])))
    equal((wrong.status_code, wrong.error_message), (422, "Object is not valid"))
    say("refused", details=wrong.error_details)


def leader():
    before = client.create_app("web", small())
    settle()
    task = client.list_tasks("web")[0]
    assert "abdicated" in client.delete_leader()["message"]

    def leads():
        try:
            return client.get_leader()["leader"]
        except Exception:  # nobody leads for a moment
            return None

    wait("a leader", leads)
    equal((client.get_app("web").version, client.list_tasks("web")[0].id), (before.version, task.id))
    client.scale_app("web", 2)
    settle()


limit(120)
{"tour": tour, "refused": refused, "leader": leader}[SCENARIO]()
say("called", methods=sorted(called))
