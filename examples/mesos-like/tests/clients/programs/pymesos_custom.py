"""pymesos: a scheduler whose tasks are run by an executor of its own, with messages both ways.

usage: pymesos_custom.py HOST:PORT
"""
import os
import sys
from base64 import b64decode, b64encode

from pymesos import MesosSchedulerDriver, Scheduler

from told import command_task, limit, say

MASTER = sys.argv[1]
EXECUTOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pymesos_executor.py")


class Scenario(Scheduler):
    def __init__(self):
        self.launched = False

    def registered(self, driver, framework_id, master_info):
        say("registered", framework_id=framework_id["value"])

    def resourceOffers(self, driver, offers):
        for offer in offers:
            if self.launched:
                driver.declineOffer(offer["id"])
                continue
            task = command_task("custom", offer["agent_id"], None)
            del task["command"]
            task["data"] = b64encode(b"for the executor").decode()
            task["executor"] = {
                "executor_id": {"value": "own"},
                "name": "own",
                "command": {"value": "exec %s %s" % (sys.executable, EXECUTOR)},
                "resources": [
                    {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
                    {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
                ],
            }
            driver.launchTasks(offer["id"], [task])
            self.launched = True

    def statusUpdate(self, driver, update):
        say("update", task=update["task_id"]["value"], state=update["state"],
            data=b64decode(update.get("data", "")).decode())
        if update["state"] == "TASK_RUNNING":
            driver.sendFrameworkMessage(update["executor_id"], update["agent_id"], b64encode(b"ping").decode())
        if update["state"] == "TASK_FINISHED":
            say("done")
            driver.stop()

    def frameworkMessage(self, driver, executor_id, agent_id, message):
        say("message", executor=executor_id["value"], data=b64decode(message).decode())

    def error(self, driver, message):
        say("error", message=message)


limit(60)
MesosSchedulerDriver(Scenario(), {"user": "", "name": "pymesos-custom"}, MASTER).run()
