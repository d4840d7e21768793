package celery_test

import (
	"strings"
	"testing"

	"acklab/internal/celery"
	"acklab/internal/connect"
	"acklab/internal/ledger"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/result"
	"acklab/task"
)

// results is a Redis for results: that of the broker, or one beside RabbitMQ.
func (b *bench) results(t *testing.T) (string, result.Store) {
	t.Helper()
	url := b.url
	if b.redis == nil {
		url = servertest.Redis(t, server.RedisOptions{}).URL("")
	}
	s, err := connect.OpenResult(t.Context(), url, result.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(t.Context()) })
	return url, s
}

// wantValue waits for the result of a task.
func wantValue(t *testing.T, s result.Store, id, want string) {
	t.Helper()
	r, err := s.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	got := string(r.Value)
	if r.Error != nil {
		got = r.Error.Error()
	}
	if got != want && (!strings.HasSuffix(want, "...") || !strings.HasPrefix(got, strings.TrimSuffix(want, "..."))) {
		t.Errorf("task %s came to %s, want %s", id, got, want)
	}
}

// add is a call of add with what comes before it and the numbers; queue empty: that
// of the workflow.
func add(id, queue string, numbers ...any) *task.Signature {
	s, err := task.NewSignature("add", task.Options{Queue: queue}, numbers...)
	if err != nil {
		panic(err)
	}
	s.TaskID = id
	return s
}

// workflows are those that both sides run, with what their tasks come to.
func workflows(queue string) map[*task.Signature]map[string]string {
	fixed := add("c", queue, 1, 1)
	fixed.Immutable = true
	linked := add("l", queue, 1, 2)
	linked.Link = []*task.Signature{add("m", queue, 5), add("n", queue, 6)}
	return map[*task.Signature]map[string]string{
		task.Chain(add("a", queue, 2, 3), add("b", queue, 10), fixed, add("d", queue, 40)):                              {"a": "5", "b": "15", "c": "2", "d": "42"},
		task.Group(add("e", queue, 1, 1), add("f", queue, 2, 2), task.Chain(add("g", queue, 3, 3), add("h", queue, 4))): {"e": "2", "f": "4", "g": "6", "h": "10"},
		task.Chain(add("i", queue, 1, 1), task.Group(add("j", queue, 10), add("k", queue, 20))):                         {"i": "2", "j": "12", "k": "22"},
		linked: {"l": "3", "m": "8", "n": "9"},
	}
}

func TestOurWorkerRunsCelerysChainsAndGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		url, store := b.results(t)
		b.ours(t, "flows", url)
		for s, want := range workflows("flows") {
			answers, _ := b.send(t, "flows", url, order{Workflow: s})
			if answers[0].Error != "" {
				t.Errorf("Celery cannot publish it: %s", answers[0].Error)
			}
			for id, value := range want {
				wantValue(t, store, id, value)
			}
		}
		chain := task.Chain(add("x", "flows", 1, 1), add("y", "flows", 1))
		if answers, _ := b.send(t, "flows", url, order{Workflow: chain, Wait: patience.Seconds()}); answers[0].Result != 3.0 {
			t.Errorf("Celery's caller got %+v", answers[0])
		}
	})
}

func TestCeleryRunsOurChainsAndGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		url, store := b.results(t)
		b.start(t, "flows", celery.Options{Pool: celery.Threads, Concurrency: 2, Result: url}).await(ledger.Consuming, 1)
		for s, want := range workflows("flows") {
			plan, err := s.Plan(task.Options{})
			if err != nil {
				t.Fatal(err)
			}
			b.publish(t, "flows", plan.First...)
			for id, value := range want {
				wantValue(t, store, id, value)
			}
		}
	})
}

func TestAChainAlternatesBetweenOurWorkersAndCelerys(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		url, store := b.results(t)
		ours := b.ours(t, "ours", url)
		theirs := b.start(t, "theirs", celery.Options{Pool: celery.Threads, Result: url})
		theirs.await(ledger.Consuming, 1)
		chain := func(name string) *task.Signature {
			return task.Chain(add(name+"1", "ours", 0, 1), add(name+"2", "theirs", 2), add(name+"3", "ours", 3),
				task.Group(add(name+"4", "theirs", 4), add(name+"5", "ours", 5)))
		}
		plan, err := chain("a").Plan(task.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b.publish(t, "ours", plan.First...)
		b.send(t, "ours", url, order{Workflow: chain("b")})
		for _, name := range []string{"a", "b"} {
			for i, want := range []string{"1", "3", "6", "10", "11"} {
				id := name + string(rune('1'+i))
				wantValue(t, store, id, want)
				f := ours()
				if i%2 == 1 {
					f = theirs.read()
				}
				if first(f, id, ledger.Finished).Seq == 0 {
					t.Errorf("%s was not run where it was sent to", id)
				}
				r, err := store.Get(t.Context(), id)
				if err != nil || i > 0 && i < 4 && r.ParentID != name+string(rune('0'+i)) {
					t.Errorf("the parent of %s is %q, %v", id, r.ParentID, err)
				}
				if next := name + string(rune('2'+i)); i < 3 && (len(r.Children) == 0 || r.Children[0] != next) {
					t.Errorf("the children of %s are %q, want %s", id, r.Children, next)
				}
			}
		}
	})
}

func TestWhoBeginsAChordCountsItsMembers(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		url, store := b.results(t)
		body := func(id, queue string) *task.Signature {
			s := add(id, queue, 1, 1)
			s.Immutable = true
			return s
		}
		ours := b.ours(t, "ours", url)
		theirs := b.start(t, "theirs", celery.Options{Pool: celery.Threads, Result: url})
		theirs.await(ledger.Consuming, 1)
		send := func(s *task.Signature) {
			t.Helper()
			if answers, _ := b.send(t, "theirs", url, order{Workflow: s}); answers[0].Error != "" {
				t.Errorf("Celery cannot publish it: %s", answers[0].Error)
			}
		}

		// All of it Celery's.
		send(task.Chord([]*task.Signature{add("a", "theirs", 1, 1), add("b", "theirs", 1, 1)}, body("c", "theirs")))
		wantValue(t, store, "c", "2")
		// Its callback may be ours.
		send(task.Chord([]*task.Signature{add("d", "theirs", 1, 1)}, body("e", "ours")))
		wantValue(t, store, "e", "2")
		// Celery's chain comes to its chord in our worker, which begins it: ours.
		send(task.Chain(add("f", "ours", 1, 1), task.Group(add("g", "ours", 1), add("h", "ours", 2)), body("i", "theirs")))
		wantValue(t, store, "i", "2")
		// A member of Celery's chord cannot be counted by us: nobody waits for ever.
		send(task.Chord([]*task.Signature{add("j", "theirs", 1, 1), add("k", "ours", 1, 1)}, body("l", "theirs")))
		wantValue(t, store, "k", "Reject: it is a member of a chord that Celery has begun...")
		wantValue(t, store, "l", "ChordError: Dependency k raised Reject...")
		if off := first(ours(), "l", ledger.CalledOff); off.Seq == 0 {
			t.Error("the callback was not called off")
		}
	})
}
