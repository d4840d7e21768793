package producer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"acklab/internal/ledger"
	"acklab/task"
)

// batch is how many messages of a burst usually go to the broker in one call. The
// driver's own window keeps them flowing; a batch bounds what a crash of the
// producer leaves without an outcome.
const batch = 500

// quantum is how often a steady load publishes what is due by then.
const quantum = 10 * time.Millisecond

// maxCopies bounds how often one message is published.
const maxCopies = 100

// The bounds of a load, which is planned as a whole before anything is published.
const (
	maxMessages = 10_000_000
	maxLinks    = 1 << 30 // bytes that its messages say about what follows them
)

// Load says what to publish.
type Load struct {
	// Count is how many tasks; 1 or more.
	Count int
	// Rate is tasks per second for a steady load; 0 is a burst: all at once.
	Rate float64
	// Batch is how many messages of a burst go to the broker in one call; 1:
	// each is confirmed before the next; 0: 500.
	Batch int
	// Workflow is published Count times, each with ids of its own, in the place of
	// Name, Args and Kwargs; nil: they are. What Options say of a message but its
	// queue and Once is for tasks that stand alone, and so are Countdown,
	// ExpireAfter and Size.
	Workflow *task.Signature
	// Copies is how often each message is published, each time with a message id of
	// its own: what a client does that repeats a publish it was unsure of; 0: once.
	Copies int
	// Name and Args are the task and its arguments, the same for all.
	Name string
	Args []json.RawMessage
	// Kwargs are its named arguments.
	Kwargs map[string]json.RawMessage
	// Options are those of every message; Queue is required.
	Options task.Options
	// Countdown puts the ETA of each message so far behind its publish; 0: the
	// ETA is that of Options. At most task.MaxDelay.
	Countdown time.Duration
	// ExpireAfter puts the Expires of each message so far behind its publish;
	// 0: it is that of Options.
	ExpireAfter time.Duration
	// Priorities are those of the messages in turn; empty: each has that of
	// Options.
	Priorities []int
	// Size pads each message with an extra header of that many bytes, to make
	// it heavy; 0: no padding.
	Size int
}

// Check returns an error that says what is wrong with the load.
func (l Load) Check() error {
	switch {
	case l.Count < 1:
		return fmt.Errorf("count %d: use 1 or more", l.Count)
	case l.Rate < 0:
		return fmt.Errorf("rate %g is negative: use tasks per second, or 0 for a burst", l.Rate)
	case math.IsNaN(l.Rate) || math.IsInf(l.Rate, 0):
		return fmt.Errorf("rate %g is no number of tasks per second: use 0 for a burst", l.Rate)
	case l.Batch < 0:
		return fmt.Errorf("batch %d is negative", l.Batch)
	case l.Size < 0:
		return fmt.Errorf("size %d is negative", l.Size)
	case l.Copies < 0 || l.Copies > maxCopies:
		return fmt.Errorf("copies %d: use 1 to %d", l.Copies, maxCopies)
	case l.Workflow != nil && (l.Countdown != 0 || l.ExpireAfter != 0 || l.Size != 0 || l.Options.Priority != 0 || l.Options.PriorityGiven || len(l.Priorities) > 0 || !l.Options.ETA.IsZero()):
		return errors.New("a workflow has no countdown, ETA, expiry, priority or size of its own: they are for tasks that stand alone")
	case l.Name == "" && l.Workflow == nil:
		return errors.New("a load needs the name of a task")
	case l.Options.Queue == "":
		return errors.New("a load needs a queue")
	case l.Messages() > maxMessages:
		return fmt.Errorf("a load of more than %d messages: publish it in parts", maxMessages)
	}
	for _, p := range append([]int{l.Options.Priority}, l.Priorities...) {
		if p < 0 || p > task.MaxPriority {
			return fmt.Errorf("priority %d is outside 0 to %d", p, task.MaxPriority)
		}
	}
	return l.checkTimes(time.Now())
}

// Messages is how many messages the load publishes at the most; math.MaxInt: that
// many or more.
func (l Load) Messages() int {
	n := max(l.Copies, 1)
	if l.Workflow != nil {
		n *= starts(l.Workflow)
	}
	if n > 0 && l.Count > math.MaxInt/n {
		return math.MaxInt
	}
	return l.Count * n
}

// checkLinks says when what follows the tasks is too much to be planned as a whole.
func (l Load) checkLinks() error {
	if l.Workflow == nil || l.Count == 1 {
		return nil // one plan has bounds of its own
	}
	plan, err := l.Workflow.Plan(l.Options)
	if err != nil {
		return err
	}
	size := 0
	for _, m := range plan.First {
		size += len(m.Embed)
	}
	if size > maxLinks/l.Count {
		return fmt.Errorf("%d workflows whose first messages hold %d bytes of what follows, at most %d are possible in one load: publish it in parts", l.Count, size, maxLinks)
	}
	return nil
}

// Message makes one message of the load, with ids of its own. Its countdown
// begins now.
func (l Load) Message() (*task.Message, error) {
	m, err := task.New(l.Name, l.Options)
	if err != nil {
		return nil, err
	}
	m.Args, m.Kwargs = l.Args, l.Kwargs
	if l.Size > 0 {
		m.Extra = map[string]any{"padding": strings.Repeat("x", l.Size)}
	}
	return l.begin([]*task.Message{m})[0], nil
}

// messages makes all messages of the load and writes each as planned, so that
// a producer that dies leaves no silence but tasks that were never sent.
func (p *Producer) messages(l Load) ([]*task.Message, error) {
	if err := l.checkLinks(); err != nil {
		return nil, err
	}
	var msgs []*task.Message
	for i := range l.Count {
		if l.Workflow != nil {
			plan, err := p.Plan(l.Workflow, l.Options)
			if err != nil {
				return nil, err
			}
			msgs = append(msgs, plan.First...)
			continue
		}
		m, err := l.Message()
		if err != nil {
			return nil, err
		}
		if n := len(l.Priorities); n > 0 {
			m.Priority = l.Priorities[i%n]
		}
		if _, err := p.ledger.Write(ledger.Line{Event: ledger.Planned, Task: m.TaskID, Queue: m.Queue, Name: m.Name}); err != nil {
			return nil, err
		}
		msgs = append(msgs, m)
	}
	return l.copied(msgs), nil
}

// copied are the messages, each followed by its copies.
func (l Load) copied(msgs []*task.Message) []*task.Message {
	if l.Copies <= 1 {
		return msgs
	}
	all := make([]*task.Message, 0, len(msgs)*l.Copies)
	for _, m := range msgs {
		all = append(all, m)
		for range l.Copies - 1 {
			again := *m
			again.ID = uuid.NewString()
			all = append(all, &again)
		}
	}
	return all
}

// Run publishes the load and returns what became of it. When ctx ends it
// stops with ctx's error; what was on the way is in the tally. progress, which
// may be nil, is told how many have been attempted.
func (p *Producer) Run(ctx context.Context, l Load, progress func(done int)) (Tally, error) {
	if err := l.Check(); err != nil {
		return Tally{}, err
	}
	msgs, err := p.messages(l)
	if err != nil {
		return Tally{}, err
	}
	if progress == nil {
		progress = func(int) {}
	}
	if l.Rate > 0 {
		return p.steady(ctx, l, msgs, progress)
	}
	return p.burst(ctx, l, msgs, progress)
}

func (p *Producer) burst(ctx context.Context, l Load, msgs []*task.Message, progress func(int)) (Tally, error) {
	var all Tally
	size := cmp.Or(l.Batch, batch)
	for start := 0; start < len(msgs); start += size {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		tally, _, err := p.Publish(ctx, l.begin(msgs[start:min(start+size, len(msgs))])...)
		all.Add(tally)
		progress(all.Total())
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// steady publishes what is due every quantum. A slow broker does not slow the
// clock: publishes overlap, as they do where many clients share a broker. The
// first error of the ledger ends it.
func (p *Producer) steady(ctx context.Context, l Load, msgs []*task.Message, progress func(int)) (Tally, error) {
	tick := time.NewTicker(quantum)
	defer tick.Stop()
	tallies := make(chan Tally, len(msgs))
	publishing, going := errgroup.WithContext(ctx)
	start, sent := time.Now(), 0
	for sent < len(msgs) && going.Err() == nil {
		due := int(min(float64(len(msgs)), time.Since(start).Seconds()*l.Rate+1))
		if now := msgs[sent:due]; len(now) > 0 {
			publishing.Go(func() error {
				tally, _, err := p.Publish(ctx, l.begin(now)...)
				tallies <- tally
				return err
			})
			sent = due
			progress(sent)
		}
		select {
		case <-going.Done():
		case <-tick.C:
		}
	}
	err := publishing.Wait()
	close(tallies)
	var all Tally
	for t := range tallies {
		all.Add(t)
	}
	return all, errors.Join(err, ctx.Err())
}
