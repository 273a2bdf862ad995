"""pymesos: subscribes, launches two tasks, kills one, reconciles, and fails over.

usage: pymesos_scheduler.py HOST:PORT launch|takeover [FRAMEWORK_ID]
  launch    launches `kept` and `killed`, kills the second, and leaves without a word
  takeover  subscribes under the id, asks for `kept` in both ways, kills it, and tears down
"""
import sys

from pymesos import MesosSchedulerDriver, Scheduler

from told import command_task, limit, pid_of, say

MASTER, SCENARIO = sys.argv[1:3]
FRAMEWORK_ID = sys.argv[3] if len(sys.argv) > 3 else None


class Scenario(Scheduler):
    def __init__(self):
        self.waiting = ["kept", "killed"] if SCENARIO == "launch" else []
        self.seen = {}
        self.asked = None

    def registered(self, driver, framework_id, master_info):
        say("registered", framework_id=framework_id["value"], version=master_info.get("version"))

    def reregistered(self, driver, master_info):
        say("reregistered", framework_id=driver.framework_id)
        self.asked = "explicit"
        driver.reconcileTasks([{"task_id": {"value": "kept"}}])

    def resourceOffers(self, driver, offers):
        say("offers", count=len(offers), agents=sorted(offer["hostname"] for offer in offers))
        for offer in offers:
            tasks = [command_task(name, offer["agent_id"], "sleep 1000") for name in self.waiting]
            self.waiting = []
            if tasks:
                driver.launchTasks(offer["id"], tasks)
            else:
                driver.declineOffer(offer["id"], {"refuse_seconds": 1})

    def statusUpdate(self, driver, update):
        task, state = update["task_id"]["value"], update["state"]
        self.seen[task] = state
        say("update", task=task, state=state, pid=pid_of(update), reason=update.get("reason"))
        if SCENARIO == "launch":
            self.launched(driver, task, state)
        else:
            self.taken_over(driver, task, state)

    def launched(self, driver, task, state):
        if task == "killed" and state == "TASK_RUNNING":
            driver.killTask({"value": task})
        if self.seen == {"kept": "TASK_RUNNING", "killed": "TASK_KILLED"}:
            say("done")
            driver.stop(failover=True)

    def taken_over(self, driver, task, state):
        if state == "TASK_RUNNING" and self.asked == "explicit":
            self.asked = "implicit"
            driver.reconcileTasks([])
        elif state == "TASK_RUNNING" and self.asked == "implicit":
            self.asked = None
            driver.killTask({"value": task})
        elif state == "TASK_KILLED":
            say("done")
            driver.stop()

    def error(self, driver, message):
        say("error", message=message)


limit(60)
framework = {"user": "", "name": "pymesos", "checkpoint": True, "failover_timeout": 60}
if FRAMEWORK_ID:
    framework["id"] = {"value": FRAMEWORK_ID}
driver = MesosSchedulerDriver(Scenario(), framework, MASTER)
driver.run()
