"""Celery's beat that keeps the laboratory's ledger.

It is celery.beat as it comes, with its default scheduler; the schedules are given
as JSON. Every tick is planned in the ledger before it is published, with the
moment at which beat found it due.

    beat.py --queues celery --schedules '[{"name": "s", "task": "noop", "every": 1}]' --ledger FILE ...

With --from and --until beat runs on a clock that is made up: nobody sleeps, each
look at the schedules takes a millisecond, and it ends by itself. Crontabs are read
in the zone of --zone, which in Celery is one for the whole application (setting
timezone). The broker's URL comes from ACKLAB_BROKER_URL.
"""
import argparse
import json
import os
import sys
import types
import uuid
from datetime import datetime, timedelta

import celery
import celery.beat
import kombu
from celery.schedules import crontab, schedule

import app as lab


class Clock:
    """A clock that goes on only when somebody sleeps or looks."""

    LOOK = timedelta(milliseconds=1)

    def __init__(self, begin, end):
        self.now, self.end = begin, end

    def sleep(self, seconds):
        # A real sleep is never shorter than it was asked to be.
        self.now += timedelta(seconds=seconds) + self.LOOK


class Ledgered:
    """Mixed into one of beat's schedulers: plans each tick before it is sent."""

    clock = None

    def setup_schedule(self):
        super().setup_schedule()
        self.merge_inplace(self.app.conf.beat_schedule)

    def tick(self, *args, **kwargs):
        if self.clock:
            self.clock.now += Clock.LOOK
            if self.clock.now >= self.clock.end:
                raise SystemExit
        return super().tick(*args, **kwargs)

    def apply_async(self, entry, producer=None, advance=True, **kwargs):
        task = str(uuid.uuid4())
        due = self.clock.now if self.clock else datetime.utcnow().replace(tzinfo=lab.timezone.utc)
        lab.ledger.write('planned', {'task': task, 'name': entry.task}, detail={'schedule': entry.name, 'due': due.isoformat()})
        entry.options = {**entry.options, 'task_id': task}
        return super().apply_async(entry, producer=producer, advance=advance, **kwargs)


class InMemory(Ledgered, celery.beat.Scheduler):
    """For a clock that is made up: nothing is kept."""


class Kept(Ledgered, celery.beat.PersistentScheduler):
    """Celery's default: the last runs are in a file."""


def parse(argv):
    p = argparse.ArgumentParser(prog='beat.py', description="Celery's beat, with the laboratory's ledger")
    p.add_argument('-Q', '--queues', default='celery', help='where it publishes')
    p.add_argument('--schedules', required=True, type=json.loads, help='[{"name", "task", "args", "every": seconds or "cron": "M H D M W"}]')
    p.add_argument('--zone', default='UTC')
    p.add_argument('--kept-in', default='', help='the file of the last runs; needed without --from')
    p.add_argument('--from', dest='begin', type=moment)
    p.add_argument('--until', dest='end', type=moment)
    p.add_argument('--ledger', default='')
    p.add_argument('--ledger-name', default='')
    options = p.parse_args(argv)
    if (options.begin is None) != (options.end is None):
        p.error('--from and --until go together')
    if options.begin is None and not options.kept_in:
        p.error('--kept-in: where are the last runs?')
    return options


def moment(text):
    at = datetime.fromisoformat(text.replace('Z', '+00:00'))
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(f'{text}: without a zone')
    return at


def entries(app, options, clock):
    """The schedules as beat has them."""
    nowfun = (lambda: clock.now.astimezone(app.timezone)) if clock else None
    made = {}
    for s in options.schedules:
        if 'cron' in s:
            minute, hour, day, month, weekday = s['cron'].split()
            when = crontab(minute=minute, hour=hour, day_of_month=day, month_of_year=month, day_of_week=weekday, nowfun=nowfun, app=app)
        else:
            when = schedule(timedelta(seconds=s['every']), nowfun=nowfun, app=app)
        made[s['name']] = {'task': s['task'], 'args': s.get('args', []), 'schedule': when}
    return made


def run(app, options):
    clock = options.begin and Clock(options.begin, options.end)
    app.conf.update(timezone=options.zone, enable_utc=True)
    app.conf.beat_schedule = entries(app, options, clock)
    kind = InMemory if clock else Kept
    if clock:
        kind.clock = clock
        celery.beat.time = types.SimpleNamespace(**{**vars(celery.beat.time), 'sleep': clock.sleep})
    service = celery.beat.Service(app, schedule_filename=options.kept_in or None, scheduler_cls=kind)
    lab.signal.signal(lab.signal.SIGTERM, lambda *_: service.stop())
    lab.signal.signal(lab.signal.SIGINT, lambda *_: service.stop())
    service.start()


def main(argv):
    options = parse(argv)
    broker = os.environ.get('ACKLAB_BROKER_URL')
    if not broker:
        print('beat.py: no broker: set ACKLAB_BROKER_URL', file=sys.stderr)
        return 64
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    publishing = lab.parse(['send', '--queues', options.queues, '--confirm-publish'])
    lab.worker = lab.Settings(publishing, broker, None)
    app = lab.make_app(publishing, broker, None)
    lab.ledger = lab.Ledger(options.ledger, {
        'name': options.ledger_name or 'beat', 'role': 'scheduler', 'pid': str(os.getpid()),
        'celery': celery.__version__, 'kombu': kombu.__version__,
    })
    try:
        lab.reachable(app)
        run(app, options)
        return 0
    except Exception as e:
        print(f'beat.py: {type(e).__name__}: {e}', file=sys.stderr)
        return 1
    finally:
        lab.ledger.write('closed')


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
