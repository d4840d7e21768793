package redisbroker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

// The memory of what was sent is used again: no message may have what another one was
// given, also where publishers leave early and connections break.
func TestEachMessageArrivesAsItWasPublished(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	var mu sync.Mutex
	sent, confirmed := map[string]string{}, map[string]bool{}
	publish := func(ctx context.Context, random *rand.Rand) {
		var msgs []*task.Message
		for i := range 1 + random.IntN(5) {
			text := strings.Repeat(fmt.Sprintf("%x-", random.Uint64()), 1+random.IntN(1+i*200))
			m := message(t, []string{"a", "b"}[random.IntN(2)], text)
			mu.Lock()
			sent[m.ID] = text
			mu.Unlock()
			msgs = append(msgs, m)
		}
		for i, err := range b.Publish(ctx, msgs...) {
			mu.Lock()
			confirmed[msgs[i].ID] = err == nil
			mu.Unlock()
			if err != nil && !errors.Is(err, broker.ErrUnsure) && !errors.Is(err, broker.ErrRefused) {
				t.Errorf("publish: %v", err)
			}
		}
	}
	var publishers sync.WaitGroup
	for p := range 8 {
		publishers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(p)))
			for i := range 150 {
				ctx, cancel := within(t, patience), context.CancelFunc(func() {})
				if p%2 == 1 && i%10 == 0 { // it may leave before it is told
					ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(500))*time.Microsecond)
				}
				publish(ctx, random)
				cancel()
				if p == 0 && i%50 == 25 {
					if _, err := r.CloseConnections(t.Context(), "test"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	publishers.Wait()
	held := map[string]bool{}
	for _, queue := range []string{"a", "b"} {
		for h, err := range b.Census(within(t, patience), queue) {
			if err != nil {
				t.Fatal(err)
			}
			m := h.Message
			if want := fmt.Sprintf("%q", sent[m.ID]); len(m.Args) != 1 || string(m.Args[0]) != want {
				t.Errorf("message %s has the arguments %.60s; want %.60s", m.ID, m.Args, want)
			}
			if held[m.ID] {
				t.Errorf("message %s is held twice", m.ID)
			}
			held[m.ID] = true
		}
	}
	for id, ok := range confirmed {
		if ok && !held[id] {
			t.Errorf("message %s was confirmed and is not held", id)
		}
	}
}
