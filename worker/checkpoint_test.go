package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/task"
	"acklab/worker"
)

// lifeAt is what the ledger says of the task when it is at the checkpoint.
var lifeAt = map[worker.AckMode]map[worker.Point][]ledger.Event{
	worker.Early: {
		worker.BeforeFetch:  nil,
		worker.Fetched:      {ledger.Received, ledger.Accepted},
		worker.AckSent:      {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent},
		worker.Acked:        {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent},
		worker.Started:      {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started},
		worker.Mid:          {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started},
		worker.Finished:     {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Finished},
		worker.ResultStored: {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Finished, ledger.ResultStored},
		worker.LinksSent:    {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Finished},
		worker.Failed:       {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Failed},
		worker.RetrySent:    {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Failed, ledger.Attempted, ledger.Confirmed},
	},
	worker.Late: {
		worker.BeforeFetch:  nil,
		worker.Fetched:      {ledger.Received, ledger.Accepted},
		worker.Started:      {ledger.Received, ledger.Accepted, ledger.Started},
		worker.Mid:          {ledger.Received, ledger.Accepted, ledger.Started},
		worker.Finished:     {ledger.Received, ledger.Accepted, ledger.Started, ledger.Finished},
		worker.Failed:       {ledger.Received, ledger.Accepted, ledger.Started, ledger.Failed},
		worker.RetrySent:    {ledger.Received, ledger.Accepted, ledger.Started, ledger.Failed, ledger.Attempted, ledger.Confirmed},
		worker.ResultStored: {ledger.Received, ledger.Accepted, ledger.Started, ledger.Finished, ledger.ResultStored},
		worker.LinksSent:    {ledger.Received, ledger.Accepted, ledger.Started, ledger.Finished},
		worker.LateAckSent:  {ledger.Received, ledger.Accepted, ledger.Started, ledger.Finished, ledger.AckSending, ledger.AckSent},
		worker.LateAcked:    {ledger.Received, ledger.Accepted, ledger.Started, ledger.Finished, ledger.AckSending, ledger.AckSent},
	},
}

// followed is what follows the task that meets a checkpoint.
var followed = map[worker.Point]json.RawMessage{worker.LinksSent: json.RawMessage(oneStep)}

const oneStep = `{"chain": [{"task": "noop", "options": {"task_id": "next"}, "immutable": true}]}`

func TestAtEachCheckpointATaskHasDoneWhatItSaysAndNoMore(t *testing.T) {
	t.Parallel()
	for mode, points := range lifeAt {
		if want := worker.Points(mode); len(points) != len(want) {
			t.Errorf("%s has the checkpoints %v; this test knows %d", mode, want, len(points))
		}
		for _, point := range worker.Points(mode) {
			t.Run(fmt.Sprintf("%s %s", mode, point), func(t *testing.T) {
				inBubble(t, func(b *bench) {
					b.cfg.Ack, b.cfg.Pause = mode, &worker.Trigger{At: point, Nth: 1}
					if point == worker.ResultStored {
						b.cfg.Results = &shelf{}
					}
					name := "sleep"
					if point == worker.Failed || point == worker.RetrySent {
						name = b.fails("fails-once", 1, task.RetryPolicy{Max: 1, Delay: time.Minute, For: task.AnyError})
					}
					m := b.publishWith(task.Options{Queue: queue, Embed: followed[point]}, name, 0)
					b.start()
					hold := b.one(ledger.Holding)
					if hold.Point != string(point) || point != worker.BeforeFetch && hold.Message != m.ID {
						t.Errorf("holding: %+v", hold)
					}
					life := slices.DeleteFunc(b.life(m), func(e ledger.Event) bool { return e == ledger.Holding })
					if want := points[point]; !slices.Equal(life, want) {
						t.Errorf("held at %s it came to %v; want %v", point, life, want)
					}
					if point == worker.RetrySent {
						b.delayed(1) // the retry is with the broker, whatever becomes of this worker
					}
					close(b.resume)
					b.sleep(2 * time.Minute)
					if n := len(b.lines(ledger.Finished)); n != 1+len(followed[point])/len(oneStep) {
						t.Errorf("%d tasks have finished", n)
					}
					if n, tries := len(b.lines(ledger.AckSent)), len(b.lines(ledger.Started)); n != tries {
						t.Errorf("%d of %d deliveries are acknowledged", n, tries)
					}
				})
			})
		}
	}
}

func TestBeforeTheFetchNothingIsWithTheWorker(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Pause = &worker.Trigger{At: worker.BeforeFetch, Nth: 1}
		b.publish("noop")
		b.start()
		b.one(ledger.Holding)
		b.holds(1, 0, 0)
		if n := len(b.lines(ledger.Consuming)); n != 0 {
			t.Error("it consumes already")
		}
		b.stop() // a worker that holds still here can be stopped all the same
		if err := b.wait(); err == nil {
			t.Error("it says that it has worked")
		}
		b.holds(1, 0, 0)
	})
}

func TestATriggerMeansTheNthTaskOrTheOneWithTheID(t *testing.T) {
	t.Parallel()
	for name, trigger := range map[string]func([]*task.Message) *worker.Trigger{
		"nth": func([]*task.Message) *worker.Trigger { return &worker.Trigger{At: worker.Started, Nth: 3} },
		"id": func(ms []*task.Message) *worker.Trigger {
			return &worker.Trigger{At: worker.Started, Task: ms[2].TaskID}
		},
		"the id counts, not the number": func(ms []*task.Message) *worker.Trigger {
			return &worker.Trigger{At: worker.Started, Task: ms[2].TaskID, Nth: 1}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				var all []*task.Message
				for range 5 {
					all = append(all, b.publish("noop"))
				}
				b.cfg.Pause = trigger(all)
				b.start()
				if l := b.one(ledger.Holding); l.Task != all[2].TaskID || l.Message != all[2].ID || l.Point != "started" {
					t.Errorf("holding: %+v; want the third, %s", l, all[2].TaskID)
				}
				if n := len(b.lines(ledger.Finished)); n != 2 {
					t.Errorf("%d tasks are finished; want the two before it", n)
				}
				close(b.resume)
				b.settle()
				if n := len(b.lines(ledger.Finished)); n != 5 {
					t.Errorf("%d tasks are finished in the end", n)
				}
			})
		})
	}
}

func TestPointsAreInTheOrderOfTheWayAndRacesBelongToTheirMode(t *testing.T) {
	t.Parallel()
	for mode, want := range map[worker.AckMode]string{
		worker.Early: "before-fetch fetched ack-sent acked started mid finished result-stored links-sent failed retry-sent",
		worker.Late:  "before-fetch fetched started mid finished result-stored links-sent failed retry-sent late-ack-sent late-acked",
	} {
		if got := strings.Trim(fmt.Sprint(worker.Points(mode)), "[]"); got != want {
			t.Errorf("%s: %s; want %s", mode, got, want)
		}
	}
}

func TestAConfigurationThatMakesNoSenseIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(*worker.Config){
		"needs a broker": func(c *worker.Config) { c.Open = nil },
		"a registry":     func(c *worker.Config) { c.Registry = nil },
		"concurrency 0":  func(c *worker.Config) { c.Concurrency = 0 },
		"concurrency -3": func(c *worker.Config) { c.Concurrency = -3 },
		"prefetch multiplier -1: use 0 (no limit) or more": func(c *worker.Config) { c.PrefetchMultiplier = -1 },
		`acknowledgement "never": use "early" or "late"`:   func(c *worker.Config) { c.Ack = "never" },
		"grace period -1ns":               func(c *worker.Config) { c.Grace = -1 },
		"at least one queue":              func(c *worker.Config) { c.Sources = nil },
		`queue "q" is named twice`:        func(c *worker.Config) { c.Sources = append(c.Sources, c.Sources...) },
		`unknown order "fair"`:            func(c *worker.Config) { c.Order = "fair" },
		`no checkpoint "lunch"`:           func(c *worker.Config) { c.Crash = &worker.Trigger{At: "lunch", Nth: 1} },
		`no checkpoint "tea"`:             func(c *worker.Config) { c.Pause = &worker.Trigger{At: "tea", Nth: 1} },
		`use one of before-fetch, fetche`: func(c *worker.Config) { c.Crash = &worker.Trigger{At: "late-acked", Nth: 1} },
		`no checkpoint "ack-sent" with l`: func(c *worker.Config) { c.Ack, c.Crash = worker.Late, &worker.Trigger{At: "ack-sent", Nth: 1} },
		`task "noop": max retries -1: use 0 (none) or more; there is no retrying for ever`: func(c *worker.Config) {
			c.Retry = func(p task.RetryPolicy) task.RetryPolicy { p.Max = -1; return p }
		},
		"name a task id, or a number fro": func(c *worker.Config) { c.Crash = &worker.Trigger{At: worker.Mid} },
		`checkpoint "mid": name a task`:   func(c *worker.Config) { c.Pause = &worker.Trigger{At: worker.Mid, Nth: -1} },
	} {
		cfg := newConfig()
		cfg.Registry.Register("noop", func(context.Context, *task.Call) (any, error) { return nil, nil })
		if _, err := worker.New(cfg); err != nil {
			t.Fatal(err)
		}
		spoil(&cfg)
		if _, err := worker.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q in it", err, want)
		}
	}
}
