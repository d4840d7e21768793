package experiments

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"acklab/internal/ledger"
	"acklab/internal/server"
	"acklab/task"
)

// Trials with several queues. A cell names its queues beside the trial's own by
// words, such as high; in a trial each is the own name with that word behind it.

// named is the queue of that word; empty: the trial's own.
func (t *Trial) named(word string) string {
	if word == "" {
		return t.queue
	}
	return t.queue + "." + word
}

// declared are the queues that Declare makes exist.
func (t *Trial) declared() []string {
	all := []string{t.queue}
	for _, word := range t.cell.Queues {
		all = append(all, t.named(word))
	}
	return all
}

// sources is a worker's list of queues, "high=3,low=1", with the words made
// names; empty: the trial's own queue.
func (t *Trial) sources(list string) string {
	if list == "" {
		return t.queue
	}
	words := strings.Split(list, ",")
	for i, word := range words {
		name, weight, weighted := strings.Cut(word, "=")
		words[i] = t.named(name)
		if weighted {
			words[i] += "=" + weight
		}
	}
	return strings.Join(words, ",")
}

// target is where a producer sends the job: to a queue, or wherever the routes
// lead.
func (t *Trial) target(j Job) []string {
	var flags []string
	for _, r := range j.Routes {
		flags = append(flags, "--route", r.Pattern+"="+t.named(r.Queue))
	}
	if len(j.Routes) == 0 || j.Queue != "" {
		flags = append(flags, "--queue", t.named(j.Queue))
	}
	return flags
}

// heldBy is what the server says it holds for the trial, of the queues that
// workers take from.
func (t *Trial) heldBy(ctx context.Context) (all load, err error) {
	for _, queue := range t.declared() {
		held, err := t.view(ctx, queue)
		if err != nil {
			return load{}, err
		}
		all.add(held)
	}
	return all, nil
}

func (l *load) add(more load) {
	l.ready, l.unacked, l.delayed, l.dead = l.ready+more.ready, l.unacked+more.unacked, l.delayed+more.delayed, l.dead+more.dead
}

// heldInAll is how many messages the server says it holds of the queue, the
// dead letters included.
func (t *Trial) heldInAll(ctx context.Context, queue string) (int, error) {
	held, err := t.view(ctx, queue)
	if _, apart := t.server.(*server.Rabbit); apart && err == nil {
		var dead load
		dead, err = t.view(ctx, queue+".dead")
		held.dead = dead.ready + dead.unacked
	}
	return held.ready + held.unacked + held.delayed + held.dead, err
}

// CountQueue takes a queue into the census of the trial that nobody declares
// and nobody takes from: one that a publish has made.
func CountQueue(word string) Step {
	return Step{"count the queue " + word + ", too", func(_ context.Context, t *Trial) error {
		t.manifest.Queues = append(t.manifest.Queues, t.named(word))
		return nil
	}}
}

// beginnings are the tasks of a trial in the order in which workers began them
// for the first time, with when each was confirmed and what is known of it.
func (t *Trial) beginnings() ([]beginning, error) {
	var all []beginning
	sent, at := map[string]ledger.Line{}, map[string]int{}
	lines, err := t.everything()
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		switch l.Event {
		case ledger.Confirmed:
			sent[l.Task] = l
		case ledger.Started:
			if _, again := at[l.Task]; !again {
				at[l.Task] = len(all)
				all = append(all, beginning{task: l.Task, begun: l.Mono})
			}
		}
	}
	for i := range all {
		all[i].confirmed, all[i].queue = sent[all[i].task].Mono, sent[all[i].task].Queue
	}
	return all, nil
}

// beginning is the first start of one task.
type beginning struct {
	task, queue      string
	confirmed, begun int64
}

// waited tells whether the task waited already at that moment, and had for so
// long.
func (b beginning) waited(at int64, long time.Duration) bool {
	return b.confirmed > 0 && b.confirmed+long.Nanoseconds() < at
}

// everything are the lines of all members in the order of the host's clock.
func (t *Trial) everything() ([]ledger.Line, error) {
	var all []ledger.Line
	for _, name := range t.order {
		lines, err := t.read(name)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	slices.SortStableFunc(all, func(a, b ledger.Line) int { return cmp.Compare(a.Mono, b.Mono) })
	return all, nil
}

// routes makes routes of a job: pattern and word of the queue in turn.
func routes(words ...string) task.Routes {
	var all task.Routes
	for i := 0; i+1 < len(words); i += 2 {
		all = append(all, task.Route{Pattern: words[i], Queue: words[i+1]})
	}
	return all
}
