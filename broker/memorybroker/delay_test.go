package memorybroker

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"acklab/broker"
	"acklab/task"
)

// later publishes messages to queue "q" that are due so long from now each.
func later(t *testing.T, b *Broker, delays ...time.Duration) {
	t.Helper()
	if err := b.Declare(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i, d := range delays {
		m := &task.Message{ID: fmt.Sprint(i), Options: task.Options{Queue: "q", ETA: now.Add(d)}}
		if err := b.Publish(t.Context(), m)[0]; err != nil {
			t.Fatal(err)
		}
	}
}

func consumeAll(t *testing.T, b *Broker) broker.Consumer {
	t.Helper()
	later(t, b) // nothing, but the queue
	c, err := b.Consume(t.Context(), broker.Subscription{Sources: []broker.Source{{Queue: "q"}}, Prefetch: broker.Unlimited})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEachMessageComesExactlyAtItsETAAndDelaysCostNoGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer()
		b := s.Open(broker.Options{})
		defer b.Close(t.Context())
		c := consumeAll(t, b)
		var delays []time.Duration
		for range 20_000 {
			delays = append(delays, time.Duration(1+rand.Int64N(int64(task.MaxDelay))))
		}
		before := runtime.NumGoroutine()
		later(t, b, delays...)
		if n := runtime.NumGoroutine() - before; n > 10 { // other tests begin and end beside this one
			t.Errorf("%d delays have made %d goroutines", len(delays), n)
		}
		for range delays {
			d, err := c.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if off := time.Since(d.Message.ETA); off != 0 {
				t.Fatalf("message %s came %v after its eta", d.Message.ID, off)
			}
			if err := d.Ack(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestMessagesThatAreDueTogetherComeAsTheyWerePublished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New(broker.Options{})
		defer b.Close(t.Context())
		later(t, b, time.Minute, time.Second, time.Minute, time.Minute, time.Second)
		c := consumeAll(t, b)
		for i, want := range []string{"1", "4", "0", "2", "3"} {
			d, err := c.Receive(t.Context())
			if err != nil || d.Message.ID != want {
				t.Errorf("delivery %d: %v, %v; want message %s", i, d, err, want)
			}
		}
	})
}

// state is how many messages are ready, how many wait, and whether a timer runs.
func state(s *Server) [3]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	timers := 0
	if s.alarm != nil {
		timers = 1
	}
	return [3]int{len(s.queues["q"].ready), len(s.delays), timers}
}

func TestAServerWithoutClientsHasNoTimerAndForgetsNoDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer()
		want := func(when string, ready, delayed, timers int) {
			t.Helper()
			synctest.Wait()
			if got := state(s); got != [3]int{ready, delayed, timers} {
				t.Errorf("%s: ready, delayed, timers: %v; want %d %d %d", when, got, ready, delayed, timers)
			}
		}
		one, two := s.Open(broker.Options{}), s.Open(broker.Options{})
		later(t, one, time.Second, time.Hour)
		want("with two clients", 0, 2, 1)
		one.Close(t.Context())
		want("with one", 0, 2, 1)
		two.Close(t.Context())
		want("with none", 0, 2, 0)
		time.Sleep(2 * time.Second)
		want("with none, when the first is due", 0, 2, 0)
		three := s.Open(broker.Options{})
		want("with the next", 1, 1, 1)
		time.Sleep(time.Hour)
		want("an hour later", 2, 0, 0)
		three.Close(t.Context())
	})
}

func BenchmarkDelay(b *testing.B) {
	s := NewServer()
	c := s.Open(broker.Options{})
	defer c.Close(b.Context())
	if err := c.Declare(b.Context(), "q"); err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m := &task.Message{ID: "m", Options: task.Options{Queue: "q", ETA: now.Add(time.Hour + time.Duration(rand.Int64N(1e12)))}}
		if err := c.Publish(b.Context(), m)[0]; err != nil {
			b.Fatal(err)
		}
	}
}
