"""A Celery application whose one task does nothing, acknowledged late."""
from celery import Celery

app = Celery()
app.conf.task_acks_late = True


@app.task(name='noop', ignore_result=True)
def noop():
    pass
