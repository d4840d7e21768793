package experiments

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/task"
)

// The vocabulary of experiments: each function makes one Step.

// Job is a load: Count times the task Name with Args.
type Job struct {
	Count int
	Name  string
	Args  []any
	// Workflow is, in the words of the producer's command line, the workflow that
	// is published Count times in the place of Name and Args; nil: they are.
	Workflow []string
	// Copies is how often each message is published; 0: once.
	Copies int
	// Once: what the result store says has succeeded is not run again.
	Once bool
	// Rate is tasks per second; 0: all at once.
	Rate float64
	// Batch is how many go to the broker in one call; 0: as many as it likes.
	Batch int
	// Countdown is how long after its publish each may run; 0: at once.
	Countdown time.Duration
	// Queue is the word for the queue, empty: the trial's own; Routes, whose
	// queues are such words, choose it where it is empty.
	Queue  string
	Routes task.Routes
	// Priorities are those of the tasks in turn; empty: none.
	Priorities []int
}

func (j Job) flags() []string {
	args, err := json.Marshal(j.Args)
	if err != nil || j.Args == nil {
		args = []byte("[]")
	}
	flags := []string{"--task", j.Name, "--args", string(args), "--count", strconv.Itoa(j.Count)}
	if j.Workflow != nil {
		flags = append(slices.Clone(j.Workflow), "--count", strconv.Itoa(j.Count))
	}
	if j.Copies > 0 {
		flags = append(flags, "--copies", strconv.Itoa(j.Copies))
	}
	if j.Once {
		flags = append(flags, "--once")
	}
	if j.Rate > 0 {
		flags = append(flags, "--rate", strconv.FormatFloat(j.Rate, 'f', -1, 64))
	}
	if j.Countdown > 0 {
		flags = append(flags, "--countdown", j.Countdown.String())
	}
	if len(j.Priorities) > 0 {
		flags = append(flags, "--priority", numbers(j.Priorities))
	}
	if j.Batch > 0 {
		flags = append(flags, "--batch", strconv.Itoa(j.Batch))
	}
	return flags
}

// what is the load in a few words.
func (j Job) what() string {
	if j.Workflow != nil {
		return brief(j.Workflow)
	}
	return j.Name
}

// numbers writes them with commas between.
func numbers(all []int) string {
	words := make([]string, len(all))
	for i, n := range all {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

// Hands says how a worker works.
type Hands struct {
	// Queues are words for the queues that it takes from, as in "high=3,low=1";
	// empty: the trial's own. Order chooses among them; empty: strict.
	Queues string
	Order  broker.Order

	Ack         string // early or late
	Concurrency int
	Multiplier  int
	Grace       time.Duration
	CrashAt     string // checkpoint of the first task
	PauseAt     string
	// CrashNth is the task, counted from 1, that CrashAt and PauseAt mean; 0: the
	// first. CrashPlace is its place in the trial's first workflow instead.
	CrashNth   int
	CrashPlace string
	Retry      Retry
	// TrackStarted: the state STARTED is stored, too.
	TrackStarted bool

	crashTask string // of CrashPlace, once it is known
}

// Retry is the policy of a worker for all its tasks; zero: no retries.
type Retry struct {
	Max   int
	Delay time.Duration
	For   []string // kinds of errors; empty: all that can be retried
}

func (r Retry) flags() []string {
	if r.Max == 0 {
		return nil
	}
	flags := []string{"--max-retries", strconv.Itoa(r.Max), "--retry-delay", r.Delay.String()}
	for _, kind := range r.For {
		flags = append(flags, "--retry-for", kind)
	}
	return flags
}

func (h Hands) flags() []string {
	flags := []string{
		"--concurrency", strconv.Itoa(max(h.Concurrency, 1)), "--prefetch-multiplier", strconv.Itoa(h.Multiplier),
		"--acks-late=" + strconv.FormatBool(h.Ack == "late"),
	}
	if h.Order != "" {
		flags = append(flags, "--order", string(h.Order))
	}
	if h.Grace > 0 {
		flags = append(flags, "--grace", h.Grace.String())
	}
	if h.CrashAt != "" {
		flags = append(flags, "--crash-at", h.CrashAt)
	}
	if h.PauseAt != "" {
		flags = append(flags, "--pause-at", h.PauseAt)
	}
	if h.CrashNth > 0 {
		flags = append(flags, "--crash-nth", strconv.Itoa(h.CrashNth))
	}
	if h.crashTask != "" {
		flags = append(flags, "--crash-task", h.crashTask)
	}
	if h.TrackStarted {
		flags = append(flags, "--track-started")
	}
	return append(flags, h.Retry.flags()...)
}

// Declare makes the trial's queues exist.
func Declare() Step {
	return Step{"declare the queue", func(ctx context.Context, t *Trial) error {
		return t.client.Declare(ctx, t.declared()...)
	}}
}

// Publish starts a producer and waits until it has ended: every task of the
// job is confirmed, refused or unsure.
func Publish(j Job) Step { return PublishAs("producer", j) }

// PublishAs is Publish by a producer of that name, where a trial has several.
func PublishAs(name string, j Job) Step {
	return Step{fmt.Sprintf("publish %d x %s", j.Count, j.what()), func(ctx context.Context, t *Trial) error {
		if t.run.plants(plantIdleVictim) {
			return nil
		}
		if err := t.start(name, t.producing(j)...); err != nil {
			return err
		}
		return t.ended(ctx, name)
	}}
}

// StartProducer starts a producer and goes on while it publishes.
func StartProducer(j Job) Step { return StartProducerAs("producer", j) }

// StartProducerAs is StartProducer by a producer of that name.
func StartProducerAs(name string, j Job) Step {
	return Step{fmt.Sprintf("begin to publish %d x %s", j.Count, j.what()), func(_ context.Context, t *Trial) error {
		if t.run.plants(plantIdleVictim) {
			return nil
		}
		return t.start(name, t.producing(j)...)
	}}
}

// producing is the command line of a producer.
func (t *Trial) producing(j Job) []string {
	return slices.Concat([]string{"producer"}, t.target(j), j.flags())
}

// StartWorker starts a worker.
func StartWorker(name string, h Hands) Step {
	return Step{"start " + name, func(_ context.Context, t *Trial) error {
		if h.CrashAt != "" && t.run.plants(plantNoFault) {
			h.CrashAt = ""
		}
		if err := t.findPlace(&h); err != nil {
			return err
		}
		if t.cell.System.Celery {
			return t.startCelery(name, h)
		}
		return t.start(name, append([]string{"worker", "--queues", t.sources(h.Queues)}, h.flags()...)...)
	}}
}

// StartTogether starts one process that is producer, queue and worker at
// once: the in-process queue.
func StartTogether(name string, j Job, h Hands) Step {
	return Step{"start " + name + ", which holds queue and worker", func(_ context.Context, t *Trial) error {
		args := append([]string{"inprocess", "--queue", t.queue}, j.flags()...)
		return t.start(name, append(args, h.flags()...)...)
	}}
}

// AwaitHolding waits until the worker holds still at the checkpoint with n
// deliveries in its hands.
func AwaitHolding(name, point string, n int) Step {
	return Step{fmt.Sprintf("wait until %s holds %d tasks at %s", name, n, point), func(ctx context.Context, t *Trial) error {
		return t.await(ctx, name, "holds "+strconv.Itoa(n)+" tasks at "+point, func(f *tail) bool {
			return f.points[point] && f.counts[ledger.Received] >= n
		})
	}}
}

// AwaitConsuming waits until the worker has subscribed.
func AwaitConsuming(name string) Step {
	return AwaitCount(name, ledger.Consuming, 1)
}

// AwaitCount waits until the worker's ledger has n lines of the event.
func AwaitCount(name string, event ledger.Event, n int) Step {
	return Step{fmt.Sprintf("wait for %d x %s of %s", n, event, name), func(ctx context.Context, t *Trial) error {
		return t.await(ctx, name, fmt.Sprintf("has %d x %s", n, event), func(f *tail) bool { return f.counts[event] >= n })
	}}
}

// AwaitReceivedOver waits until the worker has received n deliveries and all
// of them are settled.
func AwaitReceivedOver(name string, n int) Step {
	return Step{fmt.Sprintf("wait until %s is done with %d tasks", name, n), func(ctx context.Context, t *Trial) error {
		return t.await(ctx, name, "is done", func(f *tail) bool {
			return f.counts[ledger.Received] >= n && len(f.open) == 0 && f.running() == 0
		})
	}}
}

// AwaitEnded waits until n tasks have ended for good in the worker's hands.
func AwaitEnded(name string, n int) Step {
	return Step{fmt.Sprintf("wait until %s has ended %d tasks", name, n), func(ctx context.Context, t *Trial) error {
		return t.await(ctx, name, fmt.Sprintf("has ended %d tasks", n), func(f *tail) bool {
			return f.counts[ledger.Finished]+f.final >= n && len(f.open) == 0
		})
	}}
}

// AwaitAnswer waits until the broker has processed an acknowledgement of the
// worker, or refused it as stale.
func AwaitAnswer(name string) Step {
	return Step{"wait for the answer to an acknowledgement of " + name, func(ctx context.Context, t *Trial) error {
		return t.await(ctx, name, "has an answer", func(f *tail) bool { return f.counts[ledger.Acked]+f.counts[ledger.StaleAck] > 0 })
	}}
}

// Release lets a paused worker go on.
func Release(name string) Step {
	return Step{"release " + name, func(_ context.Context, t *Trial) error { return t.signal(name, syscall.SIGUSR1) }}
}

// AwaitCrash waits until the worker has killed itself at its checkpoint.
func AwaitCrash(name string) Step {
	return Step{"wait until " + name + " has crashed", func(ctx context.Context, t *Trial) error {
		m, err := t.member(name)
		if err != nil {
			return err
		}
		t.manifest.Processes[m.index].Killed = true
		return t.ended(ctx, name)
	}}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
