package experiments

import (
	"context"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/connect"
	"acklab/internal/minder"
	"acklab/internal/server"
	"acklab/task"
)

// What waits for its time on RabbitMQ is waited for, counted and cleaned away
// with the queue of its trial, and no other's.
func TestDelayQueuesBelongToTheirTrial(t *testing.T) {
	t.Parallel()
	if _, err := server.FindRabbit(); err != nil {
		t.Skip(err)
	}
	m, err := minder.Start(context.Background(), binary, "minder")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	rabbit, err := server.StartRabbit(t.Context(), m, server.RabbitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, queueType := range []string{"classic", "quorum"} {
		url := rabbit.URL("") + "?queue_type=" + queueType
		mine, other := queueType+"-1", queueType+"-10"
		b, err := connect.Open(t.Context(), url, broker.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close(context.Background())
		if err := b.Declare(t.Context(), mine, other); err != nil {
			t.Fatal(err)
		}
		for _, put := range []struct {
			queue string
			after time.Duration
		}{{mine, time.Minute}, {mine, time.Hour}, {mine, 0}, {other, time.Minute}} {
			msg, err := task.New("noop", task.Options{Queue: put.queue, ETA: time.Now().Add(put.after)})
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Publish(t.Context(), msg)[0]; err != nil {
				t.Fatal(err)
			}
		}
		trial := &Trial{run: &Runner{}, cell: &Cell{}, server: rabbit, client: b, url: url, queue: mine}
		if held, err := trial.view(t.Context(), mine); err != nil || held != (load{ready: 1, delayed: 2}) {
			t.Errorf("%s: %v, %v; want 1 ready and 2 delayed", queueType, held, err)
		}
		if n, err := trial.heldInAll(t.Context(), trial.queue); err != nil || n != 3 {
			t.Errorf("%s: %d are held, %v; want 3", queueType, n, err)
		}
		if err := newServers(m).done(t.Context(), trial); err != nil {
			t.Fatal(err)
		}
		for prefix, want := range map[string]int{mine + ".": 0, other + ".delay.": 1} {
			if v, err := rabbit.QueuesUnder(t.Context(), prefix); err != nil || v.Ready != want || v.Exists != (want > 0) {
				t.Errorf("%s: after the trial the queues %s... hold %+v, %v; want %d", queueType, prefix, v, err, want)
			}
		}
	}
}
