"""pymesos: the executor of pymesos_custom.py. It runs a task until it is sent a message, which it answers."""
import time
from base64 import b64decode, b64encode

from pymesos import Executor, MesosExecutorDriver


class Echo(Executor):
    def launchTask(self, driver, task):
        self.task_id = task["task_id"]
        self.update(driver, "TASK_RUNNING", b64decode(task["data"]))

    def frameworkMessage(self, driver, message):
        driver.sendFrameworkMessage(b64encode(b"pong to " + b64decode(message)).decode())
        # A message is not sent again, and an update is: the first has to be first.
        time.sleep(0.2)
        self.update(driver, "TASK_FINISHED", b"over")

    def update(self, driver, state, data):
        driver.sendStatusUpdate({
            "task_id": self.task_id,
            "state": state,
            "timestamp": time.time(),
            "data": b64encode(data).decode(),
        })


MesosExecutorDriver(Echo()).run()
