package worker_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"acklab/internal/ledger"
	"acklab/result"
	"acklab/result/memoryresult"
	"acklab/task"
)

// inFlow has the worker run workflows in both modes, with a store, and tasks that
// add, that fail for good, and that write down what they are called with.
func inFlow(t *testing.T, test func(b *bench, s result.Store)) {
	t.Helper()
	bothModes(t, func(b *bench) {
		s := memoryresult.NewServer().Open(result.Options{})
		b.cfg.Results, b.cfg.Concurrency = s, 4
		b.cfg.Registry.Register("add", addTask)
		b.cfg.Registry.Register("same", func(_ context.Context, c *task.Call) (any, error) { return c.Message.Args, nil })
		b.handler("boom", func(context.Context) error { return errBoom })
		test(b, s)
	})
}

// addTask adds numbers, and the numbers of lists.
func addTask(_ context.Context, c *task.Call) (any, error) {
	sum := 0
	for i := range c.Message.Args {
		var list []int
		if err := json.Unmarshal(c.Message.Args[i], &list); err != nil {
			list = make([]int, 1)
			if err := c.Arg(i, &list[0]); err != nil {
				return nil, err
			}
		}
		for _, n := range list {
			sum += n
		}
	}
	return sum, nil
}

// call is one task of a workflow, with an id that tests can name.
func call(id, name string, args ...any) *task.Signature {
	s, err := task.NewSignature(name, task.Options{}, args...)
	if err != nil {
		panic(err)
	}
	s.TaskID = id
	return s
}

// flow publishes a workflow so many times.
func (b *bench) flow(s *task.Signature, times int) *task.Plan {
	b.t.Helper()
	p, err := s.Plan(task.Options{Queue: queue})
	b.must("plan", err)
	for range times {
		for _, err := range b.client.Publish(b.t.Context(), p.First...) {
			b.must("publish", err)
		}
	}
	return p
}

// value is what a task has returned, or the error that is stored for it.
func value(t *testing.T, s result.Store, id string) string {
	t.Helper()
	r, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case r.State == task.Success:
		return string(r.Value)
	case r.Error != nil:
		return r.Error.Error()
	}
	return string(r.State)
}

// finished are the ids of the tasks that have finished, in order, each as often.
func (b *bench) finished() string {
	var ids []string
	for _, l := range b.lines(ledger.Finished) {
		ids = append(ids, l.Task)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// calledOff are the ids of the tasks that were called off, in order.
func (b *bench) calledOff() string {
	var ids []string
	for _, l := range b.lines(ledger.CalledOff) {
		ids = append(ids, l.Task)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

func nums(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}
