package celery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"acklab/task"
)

// Pool is how a worker runs tasks.
type Pool string

// The pools of Celery that need nothing else.
const (
	Prefork Pool = "prefork" // child processes, Celery's default
	Threads Pool = "threads"
	Solo    Pool = "solo" // in the worker's own loop: it hears nothing while a task runs
)

// Points are the checkpoints that a Celery worker has, in the words of package
// worker. Those of the acknowledgement are missing: Celery acknowledges while the
// task already runs, and on AMQP never learns that it was heard.
var Points = []string{"started", "mid", "finished", "result-stored"}

// StateRead is where a worker with results can hold still, and not crash: a task is
// to be tried again, the backend has read its state, and RETRY is not written yet.
const StateRead = "state-read"

// Options say how a Celery worker works. The zero value of a field is Celery's
// default, but for Concurrency (1 here) and Pool (Prefork).
type Options struct {
	// Broker is a URL of the laboratory's, redis or amqp. Required.
	Broker string
	// Result is the URL of the result backend; empty: results are not stored.
	Result string
	// Queues are what it takes from; empty: celery. Celery takes turns among them,
	// whatever their order.
	Queues []string

	Pool             Pool
	Concurrency      int
	Multiplier       int // prefetch multiplier; 0: no limit
	AcksLate         bool
	RejectWorkerLost bool // reject_on_worker_lost: with AcksLate, the task of a lost child goes back
	TrackStarted     bool
	// ConfirmPublish asks RabbitMQ to confirm the retries that it publishes.
	ConfirmPublish bool

	// VisibilityTimeout is how long Redis waits for an acknowledgement; 0: what the
	// broker's URL says (?visibility=30s), else an hour.
	VisibilityTimeout time.Duration
	// RestoreInterval is the pause between two looks for what has waited longer,
	// where this kombu can be told; 0: what the URL says (?restore=1s), else its own.
	// Older ones look about every 100 s.
	RestoreInterval time.Duration
	// Transport are further broker_transport_options.
	Transport map[string]any

	// CrashAt is the checkpoint at which it kills itself, PauseAt the one at which
	// it holds still until SIGUSR1, or StateRead: of the task CrashTask, or, when that is empty, of
	// the CrashNth that begins, counted from 1; 0 is 1.
	CrashAt, PauseAt string
	CrashTask        string
	CrashNth         int
	// AckRace: a task that crashes does not wait for its early acknowledgement, which
	// Celery sends while it runs.
	AckRace bool

	// MaxRetries, RetryDelay and RetryFor change the retries of all tasks; MaxRetries
	// 0 leaves them as each task has them.
	MaxRetries int
	RetryDelay time.Duration
	RetryFor   []string // kinds of errors; empty: transient ones

	// LogLevel is as Celery has it; empty: warning.
	LogLevel string
}

// Check says in one line what a Celery worker cannot do of this.
func (o Options) Check() error {
	u, err := url.Parse(o.Broker)
	if err != nil {
		return fmt.Errorf("celery: the broker's URL cannot be read") // the text may hold a password
	}
	switch {
	case !slices.Contains([]string{"redis", "rediss", "amqp", "amqps"}, u.Scheme):
		return fmt.Errorf("celery: no transport for %q: use redis or amqp", u.Scheme)
	case u.Query().Get("queue_type") != "" && u.Query().Get("queue_type") != "classic":
		return fmt.Errorf("celery: queue type %q: only classic queues", u.Query().Get("queue_type"))
	case !slices.Contains([]Pool{"", Prefork, Threads, Solo}, o.Pool):
		return fmt.Errorf("celery: unknown pool %q: use %s, %s or %s", o.Pool, Prefork, Threads, Solo)
	case o.CrashAt == "result-stored" && o.Result == "":
		return fmt.Errorf("celery: no such point: %s, results are not stored", o.CrashAt)
	case o.PauseAt == StateRead && o.Result == "":
		return fmt.Errorf("celery: no such point: %s, results are not stored", o.PauseAt)
	}
	if err := has(o.CrashAt, Points); err != nil {
		return err
	}
	return has(o.PauseAt, append(slices.Clone(Points), StateRead))
}

// has tells that a point, if there is one, is one of those.
func has(point string, points []string) error {
	if point == "" || slices.Contains(points, point) {
		return nil
	}
	return fmt.Errorf("celery: no such point: %s; a Celery worker has %s", point, strings.Join(points, ", "))
}

// Env is the environment of the worker beside PATH and HOME: what may hold a password.
func (o Options) Env() []string {
	env := []string{"ACKLAB_BROKER_URL=" + plain(o.Broker), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"}
	if o.Result != "" {
		env = append(env, "ACKLAB_RESULT_URL="+plain(o.Result))
	}
	return env
}

// plain is the URL without the options that only the laboratory's drivers know.
func plain(rawURL string) string {
	before, _, _ := strings.Cut(rawURL, "?")
	return before
}

// Args are the words after app.py, without the ledger.
func (o Options) Args() []string {
	args := []string{
		"worker", "--pool", string(cmp.Or(o.Pool, Prefork)), "--concurrency", strconv.Itoa(max(o.Concurrency, 1)),
		"--prefetch-multiplier", strconv.Itoa(o.Multiplier), "--acks-late", strconv.FormatBool(o.AcksLate),
	}
	add := func(given bool, words ...string) {
		if given {
			args = append(args, words...)
		}
	}
	add(len(o.Queues) > 0, "--queues", strings.Join(o.Queues, ","))
	add(o.RejectWorkerLost, "--reject-on-worker-lost")
	add(o.TrackStarted, "--track-started")
	add(o.ConfirmPublish, "--confirm-publish")
	visibility, restore := o.inURL(o.VisibilityTimeout, "visibility"), o.inURL(o.RestoreInterval, "restore")
	add(visibility > 0, "--visibility-timeout", seconds(visibility))
	add(restore > 0, "--restore-interval", seconds(restore))
	args = append(args, o.agreed()...)
	add(len(o.Transport) > 0, "--transport-options", inJSON(o.Transport))
	add(o.CrashAt != "", "--crash-at", o.CrashAt)
	add(o.PauseAt != "", "--pause-at", o.PauseAt)
	add(o.CrashTask != "", "--crash-task", o.CrashTask)
	add(o.CrashNth > 0, "--crash-nth", strconv.Itoa(o.CrashNth))
	add(o.AckRace, "--ack-race")
	add(o.MaxRetries > 0, "--max-retries", strconv.Itoa(o.MaxRetries), "--retry-delay", seconds(o.RetryDelay))
	for _, kind := range o.RetryFor {
		add(true, "--retry-for", kind)
	}
	add(o.LogLevel != "", "--loglevel", o.LogLevel)
	return args
}

// agreed are the words for what the broker's URL says of queues and messages, on
// which all clients of a queue have to agree. Nothing of it is Redis': there
// Celery always has priorities, in the direction of the wire.
func (o Options) agreed() (args []string) {
	u, err := url.Parse(o.Broker)
	if err != nil || !strings.HasPrefix(u.Scheme, "amqp") {
		return nil
	}
	if u.Query().Get("priority") == "on" {
		args = append(args, "--max-priority", strconv.Itoa(task.MaxPriority))
	}
	for _, word := range []string{"durable", "persistent"} {
		if u.Query().Get(word) == "false" {
			args = append(args, "--"+word, "false")
		}
	}
	return args
}

// inURL is the duration, or, when that is 0, the one of that name in the broker's URL.
func (o Options) inURL(d time.Duration, name string) time.Duration {
	u, err := url.Parse(o.Broker)
	if d != 0 || err != nil {
		return d
	}
	d, _ = time.ParseDuration(u.Query().Get(name)) // one that is wrong is the driver's to refuse
	return d
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// inJSON is for values that always can be: settings that a program wrote down.
func inJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(b)
}
