# What a Celery client makes of the results in the Redis of sys.argv[1].
import json
import sys

from celery import Celery
from celery.result import AsyncResult

app = Celery("test", broker=sys.argv[1], backend=sys.argv[1])


def of(task_id):
    return AsyncResult(task_id, app=app)


def say(*words):
    print(*(str(w).encode("ascii", "backslashreplace").decode() for w in words), flush=True)


ours = of("ours")
say("ours", ours.state, json.dumps(ours.get(timeout=20)), ours.children[0].id, ours.date_done.isoformat())
failed = of("failed")
try:
    failed.get(timeout=20)
except Exception as e:
    say("failed", failed.state, type(e).__module__, type(e).__name__, e, failed.traceback)
foreign = of("foreign")
try:
    foreign.get(timeout=20)
except Exception as e:
    say("foreign", foreign.state, type(e).__name__, e)
say("retried", of("retried").state)
say("unknown", of("unknown").state)
late = of("late")
app.backend.add_pending_result(late)
print("waiting", flush=True)
say("late", late.get(timeout=20))
app.backend.store_result("ours", 9, "SUCCESS")
say("ours stays", of("ours").get(timeout=20)["gr\u00f6\u00dfe"][0])
app.backend.store_result("theirs", {"sum": 8}, "SUCCESS")
app.backend.store_result("broken", KeyError("k\u00e4"), "FAILURE", traceback="tb")
