package report

import "slices"

// difference is one that is known and wanted.
type difference struct {
	experiment string
	system     string            // empty: any of Celery's
	setting    map[string]string // of Celery's cell
	numbers    []string          // what may differ for that reason
	why        string
}

// meant are the differences that are known and wanted: traits of Celery's, or
// of ours. Any other is a fault of one of the two.
var meant = []difference{
	{Flagship, "", map[string]string{"pool": "solo", "ack": "early"}, ackLater, "Celery's solo pool acknowledges early only when the body is over"},
	{Flagship, "", map[string]string{"pool": "threads", "ack": "early"}, ackLater, "the loop of a Celery worker acknowledges while a thread already runs the task: which comes first is a race"},
	{randomly, "celery+redis", nil, ackLater, twoSteps + "; and its lease is not waited for here"},
	{randomly, "celery+rabbitmq", map[string]string{"ack": "early"}, ackLater, heardLater},
	{randomly, "celery+rabbitmq", map[string]string{"ack": "late"}, ranAgain, heardLater},
	{politely, "celery+redis", map[string]string{"task": "short"}, ackLater, twoSteps + "; and " + interrupted},
	{politely, "celery+rabbitmq", map[string]string{"task": "short"}, ranAgain, interrupted},
	{politely, "celery+redis", map[string]string{"task": "longer than the grace period", "wait": "none"}, ranAgain, "killed while it waits, a Celery worker has given back nothing, and its lease is not waited for here"},
	{"two-schedulers", "", map[string]string{"leader": "each its own"}, []string{"copied", "restarted", "repeated"}, "of ours a tick is the same task whoever sends it; in Celery it is another one each time"},
	{"chain-runs-in-order", "", map[string]string{"ack": "late", "crash_at": "result-stored"}, []string{"copied", "restarted", "repeated"}, "Celery publishes what follows a task first and stores its result then; ours store first"},
	{chords, "", map[string]string{"ack": "late", "crash_at": "result-stored"}, []string{"callbacks_run", "restarted", "repeated"}, "ours ask the result store whether a task that comes again has succeeded; nothing in Celery does"},
	{chords, "", map[string]string{"fault": "each member published twice"}, []string{"callbacks_run"}, "in Celery every worker that joins a member between the last one and the end of the chord's keys finds it complete; ours tells exactly one member that it was the last"},
	{states, "", map[string]string{"track_started": "on", "task": "failure"}, startSeen, overAtOnce},
	{states, "", map[string]string{"track_started": "on", "task": "retry, then success"}, startSeen, overAtOnce},
	{"late-retry-state", "", nil, []string{"stuck_in_retry"}, "our stores decide by themselves which state is the later one; Celery reads, and then writes"},
}

// The experiments, the counts and the reasons that several of them share.
// ackLater is what a later acknowledgement changes.
var (
	ackLater  = []string{"lost", "restarted", "repeated"}
	ranAgain  = []string{"restarted", "repeated"}
	startSeen = []string{"polled_started"}
)

const (
	chords      = "chord-calls-back-once"
	states      = "caller-sees-the-states"
	overAtOnce  = "the handler is over at once, and a poller may see STARTED or not"
	randomly    = "worker-killed-at-random"
	politely    = "worker-stopped-politely"
	twoSteps    = "a Celery worker takes a message from Redis in two steps, and one that ends between them takes it along"
	heardLater  = "the main process of a Celery worker hears of a start and of an end later than they happen, and acknowledges then"
	interrupted = "in Celery 5.2 SIGTERM ends whatever the main process is doing, an acknowledgement, too"
)

// explains tells whether the difference is the one between two cells: all that
// differs has this reason, and is what both cells had predicted.
func (d difference) explains(b beside) bool {
	if d.experiment != b.experiment.Name || d.system != "" && d.system != b.celerys.System {
		return false
	}
	for k, v := range d.setting {
		if b.celerys.Setting[k] != v {
			return false
		}
	}
	return !slices.ContainsFunc(b.names, func(name string) bool {
		return !slices.Contains(d.numbers, name) || !asPredicted(b.ours, name) || !asPredicted(b.celerys, name)
	})
}
