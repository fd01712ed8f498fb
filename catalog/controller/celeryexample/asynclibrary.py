"""A task: one URL starts it, a worker runs it, /status/<id> shows its progress."""

from kernkoa import *


class asyncclass:
    @allow("GET", "POST")
    def triggerfunction(self, params=None):
        task = exeTask(self, "asyncfunction_celery", params)
        return "<a href='" + config.url + "status/" + task["id"] + "'>Async Test</a>"

    def asyncfunction_celery(self, celery_instance=None, params=None) -> int:
        """Count to ten; `step` is the number of seconds for each count, 5 at most."""
        step = min(5.0, max(0.0, float((params or {}).get("step", 2))))
        for i in range(10):
            time.sleep(step)
            celery_instance.update_state(
                state="inProgress", meta={"number": i + 1, "title": "Counted to " + str(i + 1) + " of 10"}
            )
        return 10
