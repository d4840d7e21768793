"""Writes what Celery publishes for each of some workflows, as JSON lines of
[name, [message, ...]], to standard output: the golden file celery.jsonl. Ids are
counted, so that the file is the same each time.

    /usr/bin/python3 write.py > celery.jsonl
"""
import base64
import itertools
import json
import sys

import kombu.utils

numbers = itertools.count(1)
sys.modules["kombu.utils.uuid"].uuid = lambda *_: f"id-{next(numbers)}"  # before Celery takes it

from celery import Celery, chain, chord, group  # noqa: E402

app = Celery("golden", broker="memory://", backend="redis://127.0.0.1:1")
app.conf.task_default_queue = "q"


@app.task(name="add")
def add(*args):
    return sum(args)


def signatures():
    yield "link", add.s(1, 2).set(link=add.s(3), link_error=[add.si(4), add.s(5)])
    yield "chain", chain(add.s(1, 2), add.si(3, 4).set(queue="other", priority=3), add.s(5).set(countdown=2.5, headers={"x": "y"}))
    yield "group", group(add.s(1), add.s(2) | add.s(3))
    yield "chain ends in a group", chain(add.s(1), group(add.s(2), group(add.s(3), add.s(4))))
    yield "chain has a chord", chain(add.s(1), group(add.s(2), add.s(3)), add.s(4), add.s(5))
    yield "chord", chord([add.s(1), add.s(2), add.s(3) | add.s(4)], add.s(5).on_error(add.s(6)))
    yield "chord in a chord", chord([chord([add.s(1), add.s(2)], add.s(3)), add.s(4)], add.s(5))


# There is no Redis.
app.backend.set_chord_size = lambda *_: None
app.backend.on_task_call = lambda *_: None
app.backend.add_pending_result = lambda *_, **__: None
for name, signature in signatures():
    signature.apply_async()
    messages = []
    with app.connection_for_read() as connection:
        for queue in ("q", "other"):
            while raw := connection.default_channel._get(queue) if connection.default_channel._size(queue) else None:
                body = json.loads(base64.b64decode(raw["body"]))
                headers = {k: v for k, v in raw["headers"].items() if k not in ("origin", "argsrepr", "kwargsrepr")}
                messages.append({"headers": headers, "body": body})
    print(json.dumps([name, messages]).replace(app.thread_oid, "replies"))
