package redisbroker_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

// crowd publishes one message a call from many goroutines and remembers what
// each was told.
type crowd struct {
	mu   sync.Mutex
	told map[string]error // by message id
	all  sync.WaitGroup
}

// join has n publishers more, each of which publishes that many messages, or
// until the client is closed.
func (c *crowd) join(t *testing.T, ctx context.Context, b broker.Broker, n, messages int) {
	for range n {
		c.all.Go(func() {
			for closed, i := false, 0; i < messages && !closed; i++ {
				m, err := task.New("noop", task.Options{Queue: "q"})
				if err != nil {
					t.Error(err)
					return
				}
				err = b.Publish(ctx, m)[0]
				closed = errors.Is(err, broker.ErrClosed)
				c.mu.Lock()
				c.told[m.ID] = err
				c.mu.Unlock()
			}
		})
	}
}

// count is how many publishers have been told something, and how many of those
// that it was stored.
func (c *crowd) count() (told, stored int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.told {
		if err == nil {
			stored++
		}
	}
	return len(c.told), stored
}

// check holds what was told against what Redis has.
func (c *crowd) check(t *testing.T, b broker.Broker) {
	t.Helper()
	held := map[string]int{}
	for h, err := range b.Census(within(t, patience), "q") {
		if err != nil {
			t.Fatal(err)
		}
		held[h.Message.ID]++
	}
	for id, err := range c.told {
		switch n := held[id]; {
		case n > 1:
			t.Errorf("message %s is held %d times", id, n)
		case err == nil && n == 0:
			t.Errorf("message %s was confirmed and is not held", id)
		case errors.Is(err, broker.ErrRefused) && n > 0:
			t.Errorf("message %s was refused (%v) and is held", id, err)
		case err != nil && !errors.Is(err, broker.ErrRefused) && !errors.Is(err, broker.ErrUnsure):
			t.Errorf("message %s: %v; want nothing, a refusal or unsure", id, err)
		}
	}
}

func TestWhatManyPublishAtOnceGoesOutTogether(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	c := &crowd{told: map[string]error{}}
	c.join(t, within(t, patience), b, 8, 200)
	c.all.Wait()
	if told, stored := c.count(); told != 1600 || stored != told {
		t.Fatalf("%d of %d messages were stored, want 1600", stored, told)
	}
	c.check(t, b)
	if n := calls(t, r, "lpush"); n > 800 { // 200 when all are always there in time
		t.Errorf("1600 messages of 8 publishers took %d commands", n)
	}
}

func TestAPublisherThatGivesUpTakesNobodyWithIt(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	confirm(t, b, message(t, "q"))
	if err := r.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	hasty, patient := &crowd{told: map[string]error{}}, &crowd{told: map[string]error{}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // some are on their way by then
	defer cancel()
	for range 8 {
		hasty.join(t, ctx, b, 1, 1)
		patient.join(t, within(t, patience), b, 1, 1)
	}
	hasty.all.Wait() // while Redis stands still
	if _, stored := hasty.count(); stored > 0 {
		t.Errorf("%d publishes were confirmed by a Redis that stands still", stored)
	}
	if told, _ := patient.count(); told > 0 {
		t.Errorf("%d publishers that did not give up were told something", told)
	}
	if err := r.Thaw(t.Context()); err != nil {
		t.Fatal(err)
	}
	patient.all.Wait()
	for id, err := range patient.told {
		if err != nil {
			t.Errorf("message %s of a publisher that did not give up: %v", id, err)
		}
	}
	hasty.check(t, b)
	patient.check(t, b)
}

func TestConnectionsThatBreakAndACloseLeaveNoFalseWordToAnyOfMany(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	ctx := within(t, patience)
	c := &crowd{told: map[string]error{}}
	c.join(t, ctx, b, 16, math.MaxInt)
	for range 10 {
		before, _ := c.count()
		if _, err := r.CloseConnections(ctx, "test"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the publishers go on", func() bool { told, _ := c.count(); return told > before+100 })
	}
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
	c.all.Wait()
	if _, stored := c.count(); stored < 500 {
		t.Errorf("%d messages were confirmed, want many", stored)
	}
	c.check(t, open(t, r.Addr(), "", broker.Options{}))
}
