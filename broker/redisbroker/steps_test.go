package redisbroker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/task"
)

// patience bounds what should come at once, on a slow machine too.
const patience = 30 * time.Second

func subscribe(queue string, prefetch int) broker.Subscription {
	return broker.Subscription{Sources: []broker.Source{{Queue: queue}}, Prefetch: prefetch}
}

func consume(t testing.TB, b broker.Broker, queue string, prefetch int) broker.Consumer {
	t.Helper()
	c, err := b.Consume(within(t, patience), subscribe(queue, prefetch))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func receive(t testing.TB, c broker.Consumer) *broker.Delivery {
	t.Helper()
	d, err := c.Receive(within(t, patience))
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return d
}

func ack(t testing.TB, d *broker.Delivery) {
	t.Helper()
	if err := d.Ack(context.Background()); err != nil {
		t.Fatalf("ack: %v", err)
	}
}

func flush(t testing.TB, c broker.Consumer) {
	t.Helper()
	if err := c.Flush(within(t, patience)); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

func confirm(t testing.TB, b broker.Broker, msgs ...*task.Message) {
	t.Helper()
	for _, err := range b.Publish(within(t, patience), msgs...) {
		if err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func wantReason(t testing.TB, what string, err error, reason broker.Reason) {
	t.Helper()
	var r *broker.Refusal
	if !errors.As(err, &r) || r.Reason != reason {
		t.Errorf("%s: %v; want a refusal as %q", what, err, reason)
	}
}

func wantIDs(t testing.TB, b broker.Broker, queue string, want int) {
	t.Helper()
	n := 0
	for _, err := range b.Census(within(t, patience), queue) {
		if err != nil {
			t.Fatalf("census: %v", err)
		}
		n++
	}
	if n != want {
		t.Errorf("queue %s holds %d messages; want %d", queue, n, want)
	}
}

// calls is how often the server ran a command since the last resetstat.
func calls(t testing.TB, r *server.Redis, command string) (n int) {
	t.Helper()
	c := r.Client()
	defer c.Close()
	info, err := c.Info(context.Background(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_"+command+":calls="); ok {
			_, _ = fmt.Sscanf(rest, "%d", &n)
		}
	}
	return n
}

// dial is a client of the test's own.
func dial(t testing.TB, r *server.Redis) *redis.Client {
	t.Helper()
	c := r.Client()
	t.Cleanup(func() { c.Close() })
	return c
}

// events are what a driver tells, and what it writes into its log.
type events struct {
	mu  sync.Mutex
	all []broker.Event
	log strings.Builder
}

func (e *events) Write(line []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log.Write(line)
}

func (e *events) said(words string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Contains(e.log.String(), words)
}

func (e *events) add(v broker.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, v)
}

func (e *events) of(kind broker.EventKind) (some []broker.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range e.all {
		if v.Kind == kind {
			some = append(some, v)
		}
	}
	return some
}

func (e *events) count(kind broker.EventKind) int { return len(e.of(kind)) }
