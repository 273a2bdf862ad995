"""mesoshttp, or avmesos, which is nearly the same: launches, kills, reconciles, and fails over.

usage: mesoshttp_scheduler.py mesoshttp|avmesos URL[,URL…] launch|takeover|follow [FRAMEWORK_ID]
  launch    launches `kept` and `killed`, kills the second, and leaves without a word
  takeover  subscribes under the id, asks for `kept`, kills it, and tears down
  follow    launches `kept`, waits until it has lost its master and found another one, and goes on as `takeover`
"""
import importlib
import sys

from told import command_task, give_up, limit, pid_of, say

LIBRARY, URLS, SCENARIO = sys.argv[1:4]
FRAMEWORK_ID = sys.argv[4] if len(sys.argv) > 4 else None
MesosClient = importlib.import_module(LIBRARY + ".client").MesosClient

client = MesosClient(mesos_urls=URLS.split(","), frameworkId=FRAMEWORK_ID, frameworkName=LIBRARY, frameworkUser="")
client.set_failover_timeout(60)
waiting = {"launch": ["kept", "killed"], "takeover": [], "follow": ["kept"]}[SCENARIO]
taking_over = SCENARIO == "takeover"
answered = False
seen = {}
answered = False


def subscribed(driver):
    say("registered", framework_id=client.frameworkId, master=client.get_master_info())
    reconcile(driver)


def reconcile(driver):
    if taking_over and not answered:
        # It sends what it is given; of an empty list, which asks for all, it sends nothing.
        driver.reconcile([{"task_id": {"value": "kept"}}])


def offers(offers):
    say("offers", count=len(offers))
    # A new master that has not heard of every agent yet may not answer.
    reconcile(client.get_driver())
    for offer in offers:
        tasks = [command_task(name, offer.get_offer()["agent_id"], "sleep 1000") for name in waiting]
        # What this library's users write, as they would have to for JSON from a template.
        for task in tasks:
            task["command"]["shell"] = "true"
        del waiting[:]
        if tasks:
            offer.accept(tasks)
        else:
            offer.decline({"filters": {"refuse_seconds": 1}})


def update(update):
    global answered
    answered = taking_over
    status = update["status"]
    task, state = status["task_id"]["value"], status["state"]
    say("update", task=task, state=state, pid=pid_of(status), reason=status.get("reason"))
    seen[task] = state
    answered = answered or taking_over
    driver = client.get_driver()
    if state == "TASK_RUNNING" and (task == "killed" or taking_over):
        driver.kill(status["agent_id"]["value"], task)
    if SCENARIO == "launch" and seen == {"kept": "TASK_RUNNING", "killed": "TASK_KILLED"}:
        say("done")
        client.disconnect_framework()
    if taking_over and state == "TASK_KILLED":
        say("done")
        client.tearDown()


def disconnected(_):
    global taking_over
    say("disconnected")
    taking_over = SCENARIO == "follow"


def error(message):
    give_up("the master says: %s" % message)


limit(80)
for event, handler in [(MesosClient.SUBSCRIBED, subscribed), (MesosClient.OFFERS, offers),
                       (MesosClient.UPDATE, update), (MesosClient.ERROR, error),
                       (MesosClient.DISCONNECTED, disconnected)]:
    client.on(event, handler)
client.register()
