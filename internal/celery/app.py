"""A Celery worker that keeps the laboratory's ledger.

It is an ordinary Celery worker, over Redis or RabbitMQ, with the demo tasks of
package task/demo under the same names. It was run with Celery 5.2.6; every hook
that it uses is in 5.6.2 too. What is added only
watches: every moment that matters to an experiment is one line of a ledger, in
the words of package internal/ledger, and at a checkpoint the worker can kill
itself, children and all.

    app.py worker --queues celery --pool prefork --ledger FILE ...
    app.py send < messages        a producer: one JSON object a line on stdin

The broker's URL comes from ACKLAB_BROKER_URL and that of the result backend
from ACKLAB_RESULT_URL, so that no password stands in a command line.

Who writes which line, for one task:

    received     the parent, when kombu hands the message to the consumer
    accepted     the parent, when it hears that the pool has begun the task
    ack-sending  the parent, before message.ack()
    ack-sent     the parent, after it
    acked        the parent: Redis has answered. On AMQP an acknowledgement has no
                 answer; a worker that is to crash asks for one (see settle)
    started      the child that runs the task, just before the function
    finished     the same, as the function's last act, before the result is stored
    result-stored  the same, when the result backend has taken a state; result-kept: it
                 had a SUCCESS, which Celery does not overwrite
    failed       the same; or the parent, when the child was lost
    called-off   the same, when the backend has taken the failure of a task that will
                 never run, for the one before it has failed
    attempted    whoever publishes a retry, before the publish
    confirmed    the same, after it; unsure where the broker was not asked to confirm

Under prefork, accepted and ack-sending may stand after started, because Celery
acknowledges at the child's word and the child does not wait.
"""
import argparse
import fcntl
import functools
import hashlib
import inspect
import json
import mmap
import os
import re
import signal
import socket
import struct
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone

import kombu.message
from celery import Celery, Task, signals
from celery.utils.objects import Bunch
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from kombu import Exchange, Queue

# ---- what the laboratory calls a message -------------------------------------


def message_id(task, retries, properties):
    """The id of one publish of a task.

    On Redis it is the delivery tag, which stays with the message. On AMQP it is
    the property message_id; Celery's own messages have none, and are called
    "<task>:<retries>", as the laboratory's own worker calls them.
    """
    properties = properties or {}
    return properties.get('delivery_tag') or properties.get('message_id') or f'{task}:{retries}'


def identity(headers, properties, delivery_info):
    """The fields by which a ledger line says which message it is about."""
    task, retries = headers.get('id') or '', headers.get('retries') or 0
    return {
        'task': task,
        'msg': message_id(task, retries, properties),
        'name': headers.get('task') or '',
        'queue': (delivery_info or {}).get('routing_key') or '',
        'retries': retries,
    }


# ---- the payload's hash ---------------------------------------------------------

_values = json.JSONDecoder()
_space = re.compile(r'[ \t\r\n]*')
_string_or_space = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+', re.DOTALL)


def fnv1a(data):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def _elements(text, at, close):
    """The JSON text of every element of an array or object that opens before at.

    Yields (key, raw); the key is None in an array. Returns where it ends.
    """
    at = _space.match(text, at).end()
    while text[at] != close:
        key = None
        if close == '}':
            key, at = _values.raw_decode(text, at)
            at = _space.match(text, _space.match(text, at).end() + 1).end()
        _, end = _values.raw_decode(text, at)
        yield key, text[at:end]
        at = _space.match(text, end).end()
        if text[at] == ',':
            at = _space.match(text, at + 1).end()
    return at + 1


def _each(text, at, close, into):
    """Collects _elements and returns where they end."""
    elements = _elements(text, at, close)
    while True:
        try:
            into.append(next(elements))
        except StopIteration as end:
            return end.value


def payload_hash(name, body):
    """The hash of a task's name and arguments: task.Message.Hash of the Go side.

    It is made of the JSON text as it was sent, spaces between tokens left out;
    a number or a string that is written another way is another payload. Empty
    where the body is none of Celery's protocol 2.
    """
    try:
        text = body if isinstance(body, str) else bytes(body).decode()
        args, kwargs = [], []
        at = _space.match(text, text.index('[') + 1).end()
        if text[at] != '[':
            return ''
        at = _space.match(text, _each(text, at + 1, ']', args)).end()
        at = _space.match(text, at + 1).end()
        if text[at] != '{':
            return ''
        _each(text, at + 1, '}', kwargs)
    except (ValueError, IndexError, TypeError):
        return ''

    def compact(raw):
        return utf8(_string_or_space.sub(lambda m: m.group(1) or '', raw))

    data = [utf8(name)]
    for _, raw in args:
        data += [b'\0', compact(raw)]
    for key, raw in sorted((utf8(key), raw) for key, raw in dict(kwargs).items()):
        data += [b'\1', key, b'\0', compact(raw)]
    return f'{fnv1a(b"".join(data)):016x}'


def utf8(text):
    """The text as UTF-8; half a surrogate pair is U+FFFD, as in Go."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace').encode()


# ---- the ledger -------------------------------------------------------------------


class Ledger:
    """One file of one worker, written by its parent and by all of its children.

    The number of the last line and the size of the file are in a page of memory
    that the children share. A line is written under a lock on the file
    (fcntl.lockf, which belongs to a process, so a mutex keeps the threads
    apart): number, clock, one write(2), then the page. So the numbers are
    those of the file, and the clock never goes back.

    A process that is killed with the lock in its hand frees it: the kernel does.
    If it had written its line and not yet the page, the file is longer than the
    page says, and whoever comes next counts what is there. Half a line, which
    the kernel can leave of one that crosses a page, is cut off again.

    Without a path nothing is written.
    """

    PAGE = struct.Struct('=3q')  # last number (negative: and it was closed), size of the file, tasks begun
    # Behind it, pauses released: apart, because the handler of a signal counts them
    # without the lock, and a write of the page would put the old number back.
    RELEASED = struct.Struct('=q')

    def __init__(self, path, detail):
        self.page = mmap.mmap(-1, mmap.PAGESIZE)
        self.fd = None
        self.parent = os.getpid()
        self.begin()
        os.register_at_fork(after_in_child=self.begin)
        if not path:
            return
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        self.fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self.write('opened', detail=detail)

    def begin(self):
        """What one process has for itself."""
        self.mutex = threading.Lock()
        self.busy = 0        # the main thread is in here
        self.postponed = []  # signal handlers that wait for the main thread to get out

    def write(self, event, who=None, last=False, begun=False, **fields):
        """Appends one line and returns its number; 0 where there is no ledger.

        With last it never returns the lock: no line follows, of any process.
        With begun it counts a task as begun and returns (number, tasks begun).
        """
        main = threading.current_thread() is threading.main_thread()
        self.busy += main
        try:
            with self.mutex:
                return self._write(event, who, last, begun, fields)
        finally:
            self.busy -= main
            while main and not self.busy and self.postponed:
                self.postponed.pop(0)()

    def _write(self, event, who, last, begun, fields):
        if self.fd is None:
            if not begun:
                return 0
            seq, size, tasks = self.PAGE.unpack_from(self.page)
            self.PAGE.pack_into(self.page, 0, seq, size, tasks + 1)
            return 0, tasks + 1
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_EX)
            seq, size, tasks = self.PAGE.unpack_from(self.page)
            if seq < 0:
                self.after_the_end()
                return (0, tasks) if begun else 0
            seq, size = self._recount(seq, size)
            line = {'seq': seq + 1, 'wall': wall(), 'mono': time.clock_gettime_ns(time.CLOCK_MONOTONIC), 'event': event}
            line.update(who or {})
            line.update(fields)
            line = {k: v for k, v in line.items() if v or k in ('seq', 'wall', 'mono', 'event')}
            data = utf8(json.dumps(line, ensure_ascii=False, separators=(',', ':'))) + b'\n'
            if os.write(self.fd, data) != len(data):
                raise OSError('a line was written in part')
            self.PAGE.pack_into(self.page, 0, -(seq + 1) if event == 'closed' else seq + 1, size + len(data), tasks + begun)
            if last:
                kill_all()
            return (seq + 1, tasks + 1) if begun else seq + 1
        except OSError as e:
            # What happens from here on would be known to nobody.
            print(f'app.py: write the ledger: {e}', file=sys.__stderr__, flush=True)
            kill_all()
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)

    def after_the_end(self):
        """A child that the parent has left behind does nothing more: it is about to
        be killed with it. The parent itself only has its exit before it."""
        if os.getpid() != self.parent:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)
            while True:
                signal.pause()

    def _recount(self, seq, size):
        """Takes in what a process wrote that died before it could say so."""
        actual = os.fstat(self.fd).st_size
        if actual == size:
            return seq, size
        more = os.pread(self.fd, actual - size, size)
        whole = more.rfind(b'\n') + 1
        if whole != len(more):
            os.ftruncate(self.fd, size + whole)
        return seq + more.count(b'\n'), size + whole

    def lines(self):
        """All lines so far."""
        data = b'' if self.fd is None else os.pread(self.fd, os.fstat(self.fd).st_size, 0)
        return [json.loads(raw) for raw in data.split(b'\n')[:-1]]

    def release(self):
        """Ends the pauses that are, in every process."""
        self.RELEASED.pack_into(self.page, self.PAGE.size, self.released() + 1)

    def released(self):
        """How often pauses were ended."""
        return self.RELEASED.unpack_from(self.page, self.PAGE.size)[0]

    def guard(self, number):
        """Keeps the handler of a signal out of the middle of a line.

        Celery's handlers raise an exception wherever the main thread is, which
        could be between a write and its number.
        """
        handler = signal.getsignal(number)
        if not callable(handler) or getattr(handler, 'guarded', False):
            return

        def guarded(*args):
            if self.busy:
                self.postponed.append(lambda: handler(*args))
            else:
                handler(*args)

        guarded.guarded = True
        signal.signal(number, guarded)


def wall():
    """Now, for people."""
    return datetime.now(timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.%fZ')


def monotonic_at(moment):
    """A moment in ISO 8601 on CLOCK_MONOTONIC, never later than it is."""
    if not moment:
        return 0
    at = datetime.fromisoformat(moment.replace('Z', '+00:00'))
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return max(1, now + int((at - datetime.now(timezone.utc)).total_seconds() * 1e9))


def kill_all():
    """Ends this worker as a crash does: parent and children, without a word.

    kill(2) has marked every process of the group before this one dies and with
    it frees the lock on the ledger, so none gets to write another line.
    """
    os.killpg(os.getpgrp(), signal.SIGKILL)
    while True:
        signal.pause()


# ---- checkpoints ------------------------------------------------------------------

POINTS = ('started', 'mid', 'finished', 'result-stored')

# STATE_READ is where a task can only hold still: it is to be tried again, the backend
# has read its state, and RETRY is not written yet.
STATE_READ = 'state-read'

# ACK_WITHIN bounds how long a task that is to crash waits for its early
# acknowledgement. Where the loop of the parent sleeps it hears of it 10 s later (see await_ack).
ACK_WITHIN = 30.0


class Trigger:
    """A checkpoint of one task: the one with the id, or the nth that begins."""

    def __init__(self, at, task, nth):
        self.at, self.task, self.nth = at, task, nth

    def meant(self, task, nth):
        return bool(self.at) and (task == self.task if self.task else nth == self.nth)


class Watch:
    """What one task that runs needs to know of the triggers."""

    def __init__(self, worker, who, nth):
        self.worker, self.who = worker, who
        self.crash = worker.crash.meant(who['task'], nth)
        self.pause = worker.pause.meant(who['task'], nth)
        self.halfway = False

    def reach(self, point):
        """Holds still or dies here, if a trigger says so."""
        if self.pause and self.worker.pause.at == point:
            before = ledger.released()
            self.write('holding', point)
            while ledger.released() == before:
                time.sleep(0.001)
        if self.crash and self.worker.crash.at == point:
            self.await_ack()
            self.write('checkpoint', point, last=True)

    def write(self, event, point, **how):
        ledger.write(event, {'task': self.who['task'], 'msg': self.who['msg']}, point=point, **how)

    def await_ack(self):
        """Makes sure that an early acknowledgement is a fact, not on its way.

        Celery's parent acknowledges while the child already runs; to die in
        between is a race. Under threads it acknowledges when its loop wakes up
        next, within a second on Redis and within ten on AMQP. Under solo it
        acknowledges after the function, so there is nothing to wait for.
        """
        if self.worker.acks_late or self.worker.pool == 'solo' or self.worker.ack_race:
            return
        end = time.monotonic() + ACK_WITHIN
        while time.monotonic() < end:
            sent = upto = 0
            for line in ledger.lines():
                if line['event'] == 'ack-sent' and line.get('msg') == self.who['msg']:
                    sent = line['seq']
                elif line['event'] == 'acked':
                    upto = max(upto, line['upto'])
            if 0 < sent <= upto:
                return
            time.sleep(0.005)


running = threading.local()  # watch: of the task that this thread runs


def halfway():
    """The middle of a task; once for each run."""
    watch = getattr(running, 'watch', None)
    if watch and not watch.halfway:
        watch.halfway = True
        watch.reach('mid')


def work(seconds):
    """Stands for work that takes so long."""
    time.sleep(max(0, seconds) / 2)
    halfway()
    time.sleep(max(0, seconds) / 2)


# ---- the tasks: package task/demo ---------------------------------------------------


class Failure(Exception):
    """An error of a demo task. delay is its own idea of when to try again."""

    delay = None


class Transient(Failure):
    """Trying again may help."""


class Flaky(Transient):
    """fail_n_times, usually."""


class Fatal(Failure):
    """fail_n_times, when asked for: no retry is worth it."""


class NoConnection(Transient):
    """fetch_url: no connection, or no answer in time."""


class Unavailable(Transient):
    """fetch_url: status 500 or more."""


class Refused(Failure):
    """fetch_url: status 400 to 499."""


class Panic(Failure):
    """panic."""


class BadArgument(Failure):
    """The arguments do not fit. No kind but any chooses it."""


KINDS = {
    'any': Exception, 'transient': Transient, 'panic': Panic, 'flaky': Flaky, 'fatal': Fatal,
    'connection': NoConnection, 'unavailable': Unavailable, 'rejected': Refused,
}

DAY = 24 * 3600.0
FUNCTIONS = {}  # by the name of the task: the function, and its own retry options


def demo(name, **retry):
    """Makes a function one of the tasks. Its first argument is the request."""

    def take(function):
        FUNCTIONS[name] = function, retry
        return function

    return take


def number(value, what, low, high):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadArgument(f'{what}: want a number, got {value!r}')
    if not low <= value <= high:
        raise BadArgument(f'{what}: {value} is outside {low} to {high}')
    return value


def text_of(value, what):
    if not isinstance(value, str):
        raise BadArgument(f'{what}: want a string, got {value!r}')
    return value


def web_address(address):
    parts = urllib.parse.urlsplit(text_of(address, 'url'))
    if parts.scheme not in ('http', 'https') or not parts.netloc:
        raise BadArgument('url: not an http or https URL with a host')
    return parts


def redacted(parts):
    """The URL without its password."""
    if parts.password is None:
        return parts.geturl()
    userinfo, _, host = parts.netloc.rpartition('@')
    return parts._replace(netloc=f'{userinfo.partition(":")[0]}:xxxxx@{host}').geturl()


@demo('noop')
def noop(request):
    halfway()


@demo('add')
def add(request, x, y):
    number(x, 'x', float('-inf'), float('inf'))
    number(y, 'y', float('-inf'), float('inf'))
    halfway()
    return x + y


@demo('xsum')
def xsum(request, numbers):
    if not isinstance(numbers, list):
        raise BadArgument(f'numbers: want a list, got {numbers!r}')
    for n in numbers:
        number(n, 'numbers', float('-inf'), float('inf'))
    halfway()
    return sum(numbers)


@demo('echo')
def echo(request, value):
    halfway()
    return value


@demo('sleep')
def sleep(request, seconds):
    work(number(seconds, 'seconds', 0, DAY))
    return seconds


@demo('send_email')
def send_email(request, to, ms=20):
    if '@' not in text_of(to, 'to'):
        raise BadArgument(f'to: {to!r} is not an email address')
    work(number(ms, 'ms', 0, DAY * 1000) / 1000)
    return f'sent to {to}'


@demo('process_payment')
def process_payment(request, order, amount):
    if not text_of(order, 'order'):
        raise BadArgument('order: is empty')
    number(amount, 'amount', 0.01, 1e12)
    work(0.05)
    receipt = hashlib.sha256(('receipt:' + order).encode()).hexdigest()[:16]
    return {'order': order, 'amount': amount, 'receipt': receipt}


@demo('web_scrape')
def web_scrape(request, url):
    parts, dice = web_address(url), fnv1a(url.encode())
    work((20 + dice % 200) / 1000)
    return {
        'url': redacted(parts), 'title': f'Page of {parts.hostname}',
        'words': 100 + (dice >> 8) % 1900, 'links': (dice >> 20) % 60,
    }


@demo('daily_report')
def daily_report(request, day):
    try:
        datetime.strptime(text_of(day, 'day'), '%Y-%m-%d')
    except ValueError:
        raise BadArgument(f'day: {day!r} is not a day such as 2026-11-21') from None
    work(0.1)
    dice = fnv1a(day.encode())
    orders = 50 + dice % 450
    return {
        'day': day, 'orders': orders, 'refunds': orders * ((dice >> 16) % 8) // 100,
        'cents': orders * (900 + (dice >> 24) % 4000),
    }


@demo('fail_n_times')
def fail_n_times(request, n, kind='flaky'):
    number(n, 'n', 0, 1 << 31)
    if kind not in ('flaky', 'fatal'):
        raise BadArgument(f'kind: {kind!r} is neither "flaky" nor "fatal"')
    halfway()
    tries = request.retries + 1
    if tries > n:
        return tries
    raise KINDS[kind](f'try {tries} of {n} that fail')


@demo('panic')
def panic(request, text):
    halfway()
    raise Panic(text_of(text, 'text'))


@demo('allocate')
def allocate(request, megabytes):
    number(megabytes, 'megabytes', 0, 64 << 10)
    held = []
    for i in range(megabytes):
        if i == megabytes // 2:
            halfway()
        held.append(bytearray(b'\1' * (1 << 20)))
    halfway()
    return sum(len(block) for block in held)


@demo('fetch_url', autoretry_for=(Transient,), max_retries=3, retry_backoff=1, retry_backoff_max=600, retry_jitter=True)
def fetch_url(request, url, ms=5000):
    parts = web_address(url)
    number(ms, 'ms', 1, DAY * 1000)
    call = urllib.request.Request(parts.geturl(), headers={'User-Agent': 'acklab'})
    try:
        with urllib.request.urlopen(call, timeout=ms / 1000) as response:
            halfway()
            body = response.read((1 << 20) + 1)
            status = response.status
    except urllib.error.HTTPError as e:
        halfway()
        failure = (Unavailable if e.code >= 500 else Refused)(f'fetch {redacted(parts)}: the server says {e.code} {e.reason}')
        after = e.headers.get('Retry-After', '')
        if after.isdigit():
            failure.delay = int(after)
        raise failure from None
    except (OSError, socket.timeout) as e:
        raise NoConnection(f'fetch {redacted(parts)}: {e}') from None
    if len(body) > 1 << 20:
        raise Failure(f'fetch {redacted(parts)}: the body is larger than {1 << 20} bytes')
    return {'url': redacted(parts), 'status': status, 'bytes': len(body), 'sha256': hashlib.sha256(body).hexdigest()}


# ---- a task as Celery runs it ---------------------------------------------------------


class DemoTask(Task):
    """The base of all tasks: the ledger lines around the function."""

    abstract = True
    typing = False
    function = None

    def perform(self, args, kwargs):
        """Runs the function between its lines. Celery's retries are outside of it."""
        request = self.request
        who = identity({'id': request.id, 'retries': request.retries, 'task': self.name}, request.properties, request.delivery_info)
        _, nth = ledger.write('started', {'task': who['task'], 'msg': who['msg'], 'queue': who['queue']}, begun=True)
        watch = running.watch = Watch(worker, who, nth)
        watch.reach('started')
        try:
            try:
                inspect.signature(self.function).bind(request, *args, **kwargs)
            except TypeError as e:
                raise BadArgument(str(e)) from None
            value = self.function(request, *args, **kwargs)
        except Exception as e:
            again = isinstance(e, self.autoretry_for) and request.retries < self.max_retries
            ledger.write('failed', who, final=not again, reason=f'{type(e).__name__}: {e}')
            watch.reach('finished')
            if again and getattr(e, 'delay', None) is not None:
                raise self.retry(exc=e, countdown=e.delay)
            raise
        except BaseException as e:  # the worker stops, in the middle of it: solo's way
            ledger.write('interrupted', who, reason=repr(e))
            raise
        ledger.write('finished', {'task': who['task'], 'msg': who['msg'], 'queue': who['queue']})
        watch.reach('finished')
        return value

    def on_success(self, retval, task_id, args, kwargs):
        """Called when the result is stored, before the parent hears of it."""
        running.watch.reach('result-stored')

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        """The same, of a failure for good."""
        running.watch.reach('result-stored')


def register(app, options):
    """Makes a Celery task of every demo function, with the retries that are asked for."""
    for name, (function, retry) in FUNCTIONS.items():
        retry = {'autoretry_for': (), 'max_retries': 3, 'default_retry_delay': 180, **retry, **retries_asked(options, retry)}

        def run(self, *args, **kwargs):
            return self.perform(args, kwargs)

        app.task(run, name=name, bind=True, base=DemoTask, function=staticmethod(function), Request=LedgerRequest, **retry)


def retries_asked(options, own):
    """What the command line changes in the retries of a task."""
    asked = {}
    if options.max_retries is not None:
        asked['max_retries'] = options.max_retries
    if options.retry_delay is not None:
        asked['default_retry_delay'], asked['retry_backoff'] = options.retry_delay, False
    if options.retry_backoff is not None:
        asked['retry_backoff'] = options.retry_backoff
    if options.retry_backoff_max is not None:
        asked['retry_backoff_max'] = options.retry_backoff_max
    if options.retry_jitter is not None:
        asked['retry_jitter'] = options.retry_jitter == 'true'
    if options.retry_for:
        asked['autoretry_for'] = tuple(KINDS[kind] for kind in options.retry_for)
    elif asked and not own.get('autoretry_for'):
        asked['autoretry_for'] = (Transient,)
    return asked


# ---- the parent: deliveries and what becomes of them ------------------------------------

hands = {}  # by message id: the deliveries that the parent has and has not settled


class Hand:
    """One delivery in the parent's hands."""

    def __init__(self, who, session):
        self.who = {'task': who['task'], 'msg': who['msg'], 'queue': who['queue'], 'session': session}
        self.accepted = False


class LedgerConsumer(Consumer):
    """Celery's consumer, and what it sees of the broker."""

    session = 0

    def start(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            ledger.guard(number)
        signal.signal(signal.SIGUSR1, lambda *_: ledger.release())  # instead of Celery's stack traces
        return super().start()

    def connect(self):
        connection = super().connect()
        self.session += 1
        ledger.write('connected', session=self.session)
        return connection

    def on_connection_error_after_connected(self, exc):
        ledger.write('lost', session=self.session, reason=repr(exc))
        super().on_connection_error_after_connected(exc)

    def create_task_handler(self, *args, **kwargs):
        handle = super().create_task_handler(*args, **kwargs)

        def on_task_received(message):
            who = identity(message.headers or {}, message.properties, message.delivery_info)
            again = (message.delivery_info or {}).get('redelivered') or (message.headers or {}).get('redelivered')
            hands[who['msg']] = message.hand = Hand(who, self.session)
            ledger.write(
                'received', who, hash=payload_hash(who['name'], message.body), session=self.session,
                seen='again' if again else 'first', count=(message.headers or {}).get('x-delivery-count', 0),
            )
            message.consumer = self
            return handle(message)

        return on_task_received

    def on_unknown_task(self, body, message, exc):
        failed_unseen(message, f'unknown task {message.headers.get("task")!r}')
        return super().on_unknown_task(body, message, exc)

    def on_invalid_task(self, body, message, exc):
        failed_unseen(message, f'invalid: {exc!r}')
        return super().on_invalid_task(body, message, exc)

    def on_decode_error(self, message, exc):
        failed_unseen(message, f'malformed: {exc!r}')
        return super().on_decode_error(message, exc)

    def on_unknown_message(self, body, message):
        failed_unseen(message, 'not a task')
        return super().on_unknown_message(body, message)

    def shutdown(self):
        """The end of the subscription. What is left in our hands is the broker's again."""
        super().shutdown()
        for key in list(hands):
            given_back(key)


def failed_unseen(message, reason):
    """A message that no task can be made of: for Celery it has failed."""
    ledger.write('failed', identity(message.headers or {}, message.properties, message.delivery_info), final=True, reason=reason)


def given_back(key):
    """A delivery is the broker's again, without having been settled."""
    hand = hands.pop(key, None)
    if hand is None:
        return
    if hand.accepted:
        ledger.write('requeuing', hand.who, reason='the worker ends and has not acknowledged it')
        ledger.write('requeued', hand.who)
    else:
        ledger.write('given-back', hand.who)


class LedgerRequest(Request):
    """Celery's request, and what it hears of the pool."""

    def on_accepted(self, pid, time_accepted):
        hand = getattr(self.message, 'hand', None)
        if hand:
            hand.accepted = True
            ledger.write('accepted', hand.who)
        super().on_accepted(pid, time_accepted)

    def on_timeout(self, soft, timeout):
        if not soft:
            self.failed(f'stopped at its hard time limit of {timeout} s')
        super().on_timeout(soft, timeout)

    def on_failure(self, exc_info, send_failed_event=True, return_ok=False):
        exc = getattr(exc_info.exception, 'exc', exc_info.exception)
        if type(exc).__name__ == 'WorkerLostError' and not (self.task.acks_late and self.task.reject_on_worker_lost):
            self.failed(f'its process was lost: {exc}')
        return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def failed(self, reason):
        """The child could not say so itself."""
        ledger.write('failed', identity(self.message.headers, self.message.properties, self.message.delivery_info), final=True, reason=reason)

    def _announce_revoked(self, reason, terminated, signum, expired):
        ledger.write('expired' if expired else 'revoked', identity(self.message.headers, self.message.properties, self.message.delivery_info), reason=reason)
        super()._announce_revoked(reason, terminated, signum, expired)


def settle(events, original):
    """Puts the lines around a settlement of a message.

    events gives the names of the lines before and after it.
    """

    @functools.wraps(original)
    def settled(message, *args, **kwargs):
        hand = getattr(message, 'hand', None)
        if hand is None or message.acknowledged:
            return original(message, *args, **kwargs)
        before, after = events(*args, **kwargs)
        ledger.write(before, hand.who)
        try:
            result = original(message, *args, **kwargs)
        except Exception as e:
            # py-amqp refuses at once on a channel that is closed: nothing was sent.
            closed = worker.amqp and getattr(message.channel, 'connection', None) is None
            ledger.write('stale' if closed else 'ack-unsure', hand.who, reason=repr(e))
            forget(hand)
            raise
        seq = ledger.write(after, hand.who)
        forget(hand)
        if not worker.amqp:  # kombu has waited for Redis' answer
            ledger.write('acked', session=hand.who['session'], upto=seq)
        elif worker.crash.at and after == 'ack-sent':
            # The only way to know on AMQP: a call on the same channel that is
            # answered. This one sets the window to what it is. It is made only
            # where a crash must know; Celery itself never asks.
            consumer = message.consumer
            message.channel.basic_qos(0, consumer.qos.value, not consumer.connection.qos_semantics_matches_spec)
            ledger.write('acked', session=hand.who['session'], upto=seq)
        return result

    return settled


def forget(hand):
    if hands.get(hand.who['msg']) is hand:
        del hands[hand.who['msg']]


def watch_settlements():
    """Every settlement goes through kombu's Message, whoever asks for it."""
    message = kombu.message.Message

    def rejection(requeue=False):
        return ('requeuing', 'requeued') if requeue else ('rejecting', 'rejected')

    message.ack = settle(lambda multiple=False: ('ack-sending', 'ack-sent'), message.ack)
    message.reject = settle(rejection, message.reject)
    message.requeue = settle(lambda: ('requeuing', 'requeued'), message.requeue)


# ---- publishing ----------------------------------------------------------------------------


def publish(who, hash_, eta, send, confirmed):
    """Puts the lines around one publish of a task."""
    if not who['task']:
        return send()  # not a task: the answer of a control command, an event
    line = {k: who[k] for k in ('task', 'msg', 'queue', 'retries')}
    ledger.write('attempted', {**line, 'name': who['name']}, hash=hash_, eta=monotonic_at(eta))
    try:
        result = send()
    except Exception as e:
        ledger.write('unsure', line, reason=repr(e))
        raise
    if confirmed:
        ledger.write('confirmed', line)
    else:
        ledger.write('unsure', line, reason='published without asking for a confirm')
    return result


def watch_publishes_redis():
    """LPUSH is answered, so it is confirmed. Also what is given back is seen here."""
    from kombu.transport import redis
    put, restore = redis.Channel._put, redis.QoS.restore_unacked

    @functools.wraps(put)
    def _put(channel, queue, message, **kwargs):
        headers, properties = message.get('headers') or {}, message['properties']
        who = identity(headers, properties, {'routing_key': queue})
        body = channel.decode_body(message['body'], properties.get('body_encoding'))
        return publish(
            who, payload_hash(who['name'], body), headers.get('eta'),
            lambda: put(channel, queue, message, **kwargs), confirmed=True,
        )

    @functools.wraps(restore)
    def restore_unacked(qos, *args, **kwargs):
        tags = list(qos._delivered)
        result = restore(qos, *args, **kwargs)
        for tag in tags:
            given_back(tag)
        return result

    redis.Channel._put = _put
    redis.QoS.restore_unacked = restore_unacked


def watch_publishes_amqp(confirms):
    """basic.publish is not answered unless confirms are on."""
    from kombu.transport import pyamqp

    def watched(original):
        @functools.wraps(original)
        def basic_publish(channel, msg, exchange='', routing_key='', *args, **kwargs):
            headers = msg.properties.get('application_headers') or {}
            who = identity(headers, msg.properties, {'routing_key': routing_key})
            return publish(
                who, payload_hash(who['name'], msg.body), headers.get('eta'),
                lambda: original(channel, msg, exchange, routing_key, *args, **kwargs), confirmed=confirms,
            )

        return basic_publish

    # py-amqp chooses one of them when it opens a channel.
    name = 'basic_publish_confirm' if confirms else 'basic_publish'
    setattr(pyamqp.Channel, name, watched(getattr(pyamqp.Channel, name)))


# ---- results --------------------------------------------------------------------------------


def watch_results(app):
    """Every state that the backend has taken, or has not."""
    if not worker.result:
        return
    kind = type(app.backend)
    store, put = kind.store_result, getattr(kind, '_set_with_state', None)

    @functools.wraps(store)
    def store_result(backend, task_id, result, state, traceback=None, request=None, **kwargs):
        who = {'task': task_id, 'retries': getattr(request, 'retries', 0) or 0}
        properties = getattr(request, 'properties', None)
        if properties:
            who['msg'] = message_id(task_id, who['retries'], properties)
            who['queue'] = (getattr(request, 'delivery_info', None) or {}).get('routing_key')
        if not properties and state == 'FAILURE' and not isinstance(request, Bunch):
            # Of a task that nobody has delivered: what came after it in a chain, or
            # waited for a chord, will never run. (A task that nobody knows was
            # delivered: Celery makes a Bunch for its request.)
            answer = store(backend, task_id, result, state, traceback=traceback, request=request, **kwargs)
            ledger.write('called-off', {'task': task_id}, reason=repr(result))
            return answer
        running.put = False
        try:
            answer = store(backend, task_id, result, state, traceback=traceback, request=request, **kwargs)
        except Exception as e:
            ledger.write('result-lost', who, state=state, reason=repr(e))
            raise
        # Celery leaves a SUCCESS as it is and says nothing.
        kept = put is not None and not running.put
        ledger.write('result-kept' if kept else 'result-stored', who, state=state)
        return answer

    kind.store_result = store_result
    if put is not None:
        @functools.wraps(put)
        def _set_with_state(backend, key, value, state):
            running.put = True
            if state == 'RETRY':
                running.watch.reach(STATE_READ)
            return put(backend, key, value, state)

        kind._set_with_state = _set_with_state


# ---- the command line -----------------------------------------------------------------------


class Settings:
    """What this worker was told, as far as the lines depend on it."""

    def __init__(self, options, broker, result):
        self.pool, self.acks_late, self.ack_race = options.pool, options.acks_late == 'true', options.ack_race
        self.amqp = urllib.parse.urlsplit(broker).scheme.startswith(('amqp', 'pyamqp'))
        self.result = bool(result)
        self.crash = Trigger(options.crash_at, options.crash_task, options.crash_nth)
        self.pause = Trigger(options.pause_at, options.crash_task, options.crash_nth)


ledger = None  # Ledger
worker = None  # Settings


def parse(argv):
    truth = {'choices': ('true', 'false')}
    p = argparse.ArgumentParser(prog='app.py', description='a Celery worker, or producer, that keeps the laboratory\'s ledger')
    p.add_argument('role', choices=('worker', 'send'))
    p.add_argument('-Q', '--queues', default='celery', help='a,b: the first is also where send publishes')
    p.add_argument('-P', '--pool', default='prefork', choices=('prefork', 'solo', 'threads'))
    p.add_argument('-c', '--concurrency', type=int, default=1)
    p.add_argument('--prefetch-multiplier', type=int, default=4)
    p.add_argument('--acks-late', nargs='?', const='true', default='false', **truth)
    p.add_argument('--reject-on-worker-lost', action='store_true')
    p.add_argument('--track-started', action='store_true')
    p.add_argument('--confirm-publish', action='store_true', help='AMQP: publish retries with confirms; Celery\'s default is without')
    p.add_argument('--routes', type=json.loads, default=[], help='JSON: [[pattern, queue], ...], task_routes of what send publishes')
    p.add_argument('--orders', type=json.loads, help='JSON: the orders of send, instead of its stdin')
    p.add_argument('--visibility-timeout', type=float, help='Redis: seconds')
    p.add_argument('--restore-interval', type=float, help='Redis, newest kombu: seconds between two looks for what timed out')
    p.add_argument('--transport-options', type=json.loads, default={}, help='JSON: more for broker_transport_options')
    p.add_argument('--max-priority', type=int, default=0, help='AMQP: queues have x-max-priority; without, messages are served in order')
    p.add_argument('--durable', default='true', help='AMQP: whether its queues outlive the server; all clients of a queue must agree', **truth)
    p.add_argument('--persistent', default='true', help='AMQP: whether what it publishes is meant for the disk', **truth)
    p.add_argument('--crash-at', default='', choices=('',) + POINTS)
    p.add_argument('--pause-at', default='', choices=('',) + POINTS + (STATE_READ,))
    p.add_argument('--crash-task', default='')
    p.add_argument('--crash-nth', type=int, default=1)
    p.add_argument('--ack-race', action='store_true', help='with --crash-at: die without waiting for the early acknowledgement')
    p.add_argument('--max-retries', type=int)
    p.add_argument('--retry-delay', type=float)
    p.add_argument('--retry-backoff', type=int)
    p.add_argument('--retry-backoff-max', type=int)
    p.add_argument('--retry-jitter', **truth)
    p.add_argument('--retry-for', action='append', choices=sorted(KINDS))
    p.add_argument('--ledger', default='')
    p.add_argument('--ledger-name', default='')
    p.add_argument('-l', '--loglevel', default='warning')
    options = p.parse_args(argv)
    for point, at in (('result-stored', options.crash_at), (STATE_READ, options.pause_at)):
        if at == point and not os.environ.get('ACKLAB_RESULT_URL'):
            p.error(f'{point}: no such point without a result backend (ACKLAB_RESULT_URL)')
    return options


def make_app(options, broker, result):
    """The Celery application, everything as Celery has it unless it was asked for."""
    app = Celery('acklab', broker=broker, backend=result or None, set_as_current=True)
    transport = dict(options.transport_options)
    if options.visibility_timeout is not None:
        transport['visibility_timeout'] = options.visibility_timeout
    if options.restore_interval is not None:
        transport['unacked_restore_interval'] = options.restore_interval
        transport['unacked_restore_throttle'] = 1
    if options.confirm_publish and worker.amqp:
        transport['confirm_publish'] = True
    queues = options.queues.split(',')
    arguments = {'x-max-priority': options.max_priority} if options.max_priority and worker.amqp else None
    app.conf.update(
        task_serializer='json', accept_content=['json'], result_serializer='json',
        # Without an exchange of their own: nothing of them stays on the broker.
        task_queues=[Queue(name, Exchange(''), routing_key=name, durable=options.durable == 'true', queue_arguments=arguments) for name in queues],
        task_default_delivery_mode='persistent' if options.persistent == 'true' else 'transient',
        task_default_queue=queues[0], task_default_exchange='', task_default_routing_key=queues[0],
        task_routes=[[(pattern, {'queue': queue}) for pattern, queue in options.routes]] if options.routes else None,
        task_acks_late=worker.acks_late, task_reject_on_worker_lost=options.reject_on_worker_lost,
        task_track_started=options.track_started,
        worker_prefetch_multiplier=options.prefetch_multiplier,
        worker_consumer=LedgerConsumer,
        worker_enable_remote_control=False, worker_send_task_events=False,
        worker_proc_alive_timeout=60.0,  # a busy machine
        broker_transport_options=transport,
        broker_connection_retry_on_startup=True,
    )
    register(app, options)
    if worker.amqp:
        watch_publishes_amqp(options.confirm_publish)
    else:
        watch_publishes_redis()
    watch_settlements()
    watch_results(app)
    return app


def reachable(app):
    """Connects once, so that a worker without a broker ends instead of waiting."""
    with app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=3, interval_start=0.2, interval_step=0.2, interval_max=1)


def run_worker(app, options):
    signals.worker_ready.connect(lambda **_: ledger.write('consuming'), weak=False)
    signals.worker_shutting_down.connect(lambda **_: ledger.write('draining'), weak=False)
    w = app.Worker(
        hostname=f'{options.ledger_name or "worker"}@{socket.gethostname()}', pool_cls=options.pool, pool=options.pool,
        concurrency=options.concurrency, loglevel=options.loglevel.upper(), quiet=True,
        without_mingle=True, without_gossip=True, without_heartbeat=True,
    )
    w.start()
    return w.exitcode or 0


def run_send(app, options):
    """Publishes what stands on stdin, or in --orders; one line of answer for each.

    {"task": "add", "args": [1, 2], "kwargs": {}, "options": {"countdown": 1}, "wait": 10}
    {"workflow": {"task": "celery.chain", "subtask_type": "chain", ...}, "wait": 10}     a signature, as Celery writes it
    """
    failed = 0
    for order in map(json.loads, sys.stdin) if options.orders is None else options.orders:
        answer = {}
        try:
            if 'workflow' in order:
                sent = app.signature(order['workflow']).apply_async(**order.get('options', {}))
            else:
                sent = app.send_task(order['task'], order.get('args', []), order.get('kwargs', {}), **order.get('options', {}))
            answer['id'] = sent.id
            if 'wait' in order:
                answer['result'] = sent.get(timeout=order['wait'])
        except Exception as e:
            answer['error'] = f'{type(e).__name__}: {e}'
            failed = 1
        print(json.dumps(answer), flush=True)
    return failed


def main(argv):
    global ledger, worker
    options = parse(argv)
    broker, result = os.environ.get('ACKLAB_BROKER_URL'), os.environ.get('ACKLAB_RESULT_URL')
    if not broker:
        print('app.py: no broker: set ACKLAB_BROKER_URL', file=sys.stderr)
        return 64
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # a crash kills the group: it must be ours alone
    worker = Settings(options, broker, result)
    app = make_app(options, broker, result)
    import celery
    ledger = Ledger(options.ledger, {
        'name': options.ledger_name or options.role, 'role': options.role, 'pid': str(os.getpid()),
        'celery': celery.__version__, 'kombu': kombu.__version__, 'pool': options.pool,
    })
    try:
        reachable(app)
        return run_worker(app, options) if options.role == 'worker' else run_send(app, options)
    except Exception as e:
        print(f'app.py: {type(e).__name__}: {e}', file=sys.stderr)
        return 1
    finally:
        for key in list(hands):
            given_back(key)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # Python's end makes of a handler the default, which kills
        ledger.write('closed')


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
