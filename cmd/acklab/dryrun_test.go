package main

import (
	"strings"
	"testing"

	"acklab/producer"
	"acklab/task"
)

// What stands alone may have a countdown, also when it is only drawn.
func TestADryRunOfOneTaskTakesWhatTheTaskTakes(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	s := b.run("send", "--dry-run", "--countdown", "5s", "noop")
	s.ended(0)
	if !strings.Contains(s.stdout.String(), "noop") {
		t.Errorf("it said %q", &s.stdout)
	}
}

// The one process works on every queue that its workflow is routed to.
func TestInprocessWorksOnTheQueuesOfItsWorkflow(t *testing.T) {
	t.Parallel()
	w := task.Chain(&task.Signature{Name: "add"}, &task.Signature{Name: "noop"}, &task.Signature{Name: "noop"})
	own := loadFlags{routes: routeFlags{routes: []string{"noop=low"}}}
	if err := own.route(&producer.Load{Workflow: w}); err != nil {
		t.Fatal(err)
	}
	got := queuesOf(producer.Load{Workflow: w, Options: task.Options{Queue: "celery"}})
	if strings.Join(got, " ") != "celery low" {
		t.Errorf("the queues are %q", got)
	}
}
