package producer_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/producer"
	"acklab/task"
)

// chord is a chord of two whose callback is followed by a link.
func chord() *task.Signature {
	body := &task.Signature{Name: "xsum", Link: []*task.Signature{{Name: "echo"}}}
	return task.Chord([]*task.Signature{{Name: "noop"}, {Name: "noop"}}, body)
}

func TestEveryTaskOfAWorkflowIsPlannedBeforeTheFirstPublish(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	planned := 0
	d.fate = func(int) error {
		if planned == 0 {
			planned = len(d.lines(ledger.Planned))
		}
		return nil
	}
	l := producer.Load{Count: 3, Workflow: chord(), Options: task.Options{Queue: "q"}}
	tally, err := d.producer().Run(t.Context(), l, nil)
	if err != nil || tally.Confirmed != 6 || planned != 12 || l.Messages() != 6 {
		t.Errorf("%+v, %v; %d planned at the first publish, %d messages foretold", tally, err, planned, l.Messages())
	}
	var places []string
	for _, line := range d.lines(ledger.Planned)[:4] {
		places = append(places, line.Detail[ledger.DetailPlace])
		if group := line.Detail[ledger.DetailGroup]; (group != "") != strings.HasPrefix(line.Detail[ledger.DetailPlace], "chord[") {
			t.Errorf("%s is in the group %q", line.Detail[ledger.DetailPlace], group)
		}
	}
	if got := strings.Join(places, " "); got != "chord[0] chord[1] callback callback.link[0]" {
		t.Errorf("the places are %s", got)
	}
}

func TestCopiesAreOtherMessagesOfTheSameTask(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	l := load(2)
	l.Copies = 3
	if tally, err := d.producer().Run(t.Context(), l, nil); err != nil || tally.Confirmed != 6 || l.Messages() != 6 {
		t.Fatalf("%+v, %v; %d messages foretold", tally, err, l.Messages())
	}
	ids, tasks := map[string]bool{}, map[string]int{}
	for _, m := range d.calls[0] {
		ids[m.ID] = true
		tasks[m.TaskID]++
	}
	if len(ids) != 6 || len(tasks) != 2 || len(d.lines(ledger.Planned)) != 2 {
		t.Errorf("%d messages of %d tasks, %d planned", len(ids), len(tasks), len(d.lines(ledger.Planned)))
	}
}

func TestAWorkflowThatCannotBeSentIsRefusedBeforeAnythingIsPublished(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, err := d.producer().Run(t.Context(), producer.Load{Count: 1, Workflow: task.Group(), Options: task.Options{Queue: "q"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "a group without members") {
		t.Error(err)
	}
	timed := producer.Load{Count: 1, Workflow: chord(), Options: task.Options{Queue: "q"}, Countdown: time.Second}
	if err := timed.Check(); err == nil || !strings.Contains(err.Error(), "a workflow has no countdown") {
		t.Error(err)
	}
	d.wrote(nil)
	d.ledger.Close()
	if _, err := d.producer().Plan(chord(), task.Options{Queue: "q"}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("without a ledger: %v", err)
	}
}

func TestWorkflowsWhoseLinksAreTooMuchTogetherAreRefusedBeforeAnyIsPlanned(t *testing.T) {
	t.Parallel()
	steps := make([]*task.Signature, 200)
	for i := range steps {
		steps[i] = &task.Signature{Name: "noop"}
	}
	d := newDesk(t)
	l := producer.Load{Count: 100_000, Workflow: task.Chain(steps...), Options: task.Options{Queue: "q"}}
	if _, err := d.producer().Run(t.Context(), l, nil); err == nil || !strings.Contains(err.Error(), "publish it in parts") {
		t.Error(err)
	}
	d.wrote(nil)
}
