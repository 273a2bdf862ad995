"""pymesos: an operator, who asks and watches.

usage: pymesos_operator.py HOST:PORT
It watches until a task was added and ended.
"""
import sys

from pymesos import MesosOperatorMasterDriver, OperatorMaster

from told import limit, say

MASTER = sys.argv[1]


class Watcher(OperatorMaster):
    def taskAdded(self, task_info):
        say("task_added", task=str(task_info))

    def taskUpdated(self, task_info):
        say("task_updated", state=task_info["state"])
        if task_info["state"] in ("TASK_FINISHED", "TASK_KILLED"):
            say("done")
            driver.stop()

    def frameworkAdded(self, framework_info):
        say("framework_added")

    def frameworkUpdated(self, framework_info):
        say("framework_updated")

    def frameworkRemoved(self, framework_info):
        say("framework_removed")

    def agentAdded(self, agent_info):
        say("agent_added")

    def agentRemoved(self, agent_info):
        say("agent_removed")


limit(60)
driver = MesosOperatorMasterDriver(MASTER, Watcher())
driver.start()
say("health", healthy=driver.getHealth()["get_health"]["healthy"])
say("version", version=driver.getVersion()["get_version"]["version_info"]["version"])
say("agents", count=len(driver.getAgents()["get_agents"].get("agents", [])))
say("frameworks", known="get_frameworks" in driver.getFrameworks())
say("tasks", known="get_tasks" in driver.getTasks())
say("state", keys=sorted(driver.getState()["get_state"]))
say("watching")
driver.join()
