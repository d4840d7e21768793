package plant

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"acklab/broker"
	"acklab/broker/memorybroker"
	"acklab/internal/ledger"
	"acklab/result"
	"acklab/result/memoryresult"
	"acklab/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// garden is an in-memory queue with a plant between it and the test.
type garden struct {
	t       *testing.T
	server  *memorybroker.Server
	healthy broker.Broker // sees what really is
	planted broker.Broker
	plant   *Plant
	fired   int
}

func newGarden(t *testing.T, name string) *garden {
	t.Helper()
	g := &garden{t: t, server: memorybroker.NewServer()}
	var p *Plant
	if name != "" {
		var err error
		if p, err = New(name, func() { g.fired++ }); err != nil {
			t.Fatal(err)
		}
	}
	g.plant = p
	g.healthy = g.server.Open(broker.Options{})
	g.planted = p.Wrap(g.server.Open(p.Options(broker.Options{})))
	g.ok(g.healthy.Declare(t.Context(), "q"))
	return g
}

func (g *garden) ok(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// publish puts n messages on the queue through the plant; all are confirmed.
func (g *garden) publish(n int) {
	g.t.Helper()
	var msgs []*task.Message
	for range n {
		m, err := task.New("noop", task.Options{Queue: "q"})
		g.ok(err)
		msgs = append(msgs, m)
	}
	g.ok(errors.Join(g.planted.Publish(g.t.Context(), msgs...)...))
}

func (g *garden) consume() broker.Consumer {
	g.t.Helper()
	c, err := g.planted.Consume(g.t.Context(), broker.Subscription{Sources: []broker.Source{{Queue: "q"}}, Prefetch: 10})
	g.ok(err)
	g.t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func (g *garden) receive(c broker.Consumer) *broker.Delivery {
	g.t.Helper()
	d, err := c.Receive(g.t.Context())
	g.ok(err)
	return d
}

// holds are the ready and the unsettled, by the server itself.
func (g *garden) holds(ready, unacked int) {
	g.t.Helper()
	if r, u := g.server.View("q"); r != ready || u != unacked {
		g.t.Errorf("the server has %d ready and %d unsettled; want %d and %d", r, u, ready, unacked)
	}
}

// evils show for each plant what it does.
var evils = map[string]func(*garden){
	PublishDropped: func(g *garden) {
		g.publish(5)
		g.holds(4, 0)
	},
	DeliveredTwice: func(g *garden) {
		g.publish(2)
		c := g.consume()
		first, again := g.receive(c), g.receive(c)
		if first.Message != again.Message || again.Seen != broker.SeenFirst {
			g.t.Errorf("the second delivery is %+v", again)
		}
		g.ok(again.Ack(g.t.Context()))
		g.holds(0, 2)
		g.ok(first.Ack(g.t.Context()))
		g.holds(0, 1)
		if third := g.receive(c); third.Message == first.Message {
			g.t.Error("it is delivered a third time")
		}
	},
	EarlyInLate: func(g *garden) {
		g.publish(1)
		d := g.receive(g.consume())
		g.holds(0, 0)
		g.ok(d.Ack(g.t.Context()))
	},
	LateInEarly: func(g *garden) {
		g.publish(6)
		c := g.consume()
		for range heldBack {
			g.ok(g.receive(c).Ack(g.t.Context()))
		}
		g.holds(0, 6)
		g.ok(g.receive(c).Ack(g.t.Context()))
		g.holds(0, 5)
		g.fired -= heldBack // once for each
	},
	RequeueForgotten: func(g *garden) {
		g.publish(1)
		g.ok(g.receive(g.consume()).Requeue(g.t.Context()))
		g.holds(0, 0)
	},
	NeighbourAcked: func(g *garden) {
		g.publish(2)
		c := g.consume()
		first, second := g.receive(c), g.receive(c)
		g.ok(first.Ack(g.t.Context()))
		g.holds(0, 1)
		if err := second.Ack(g.t.Context()); !errors.Is(err, broker.ErrStale) {
			g.t.Errorf("the neighbour's own acknowledgement: %v", err)
		}
		g.holds(0, 1)
	},
	StaleHonoured: func(g *garden) {
		g.publish(1)
		d := g.receive(g.consume())
		g.server.CloseConnections()
		g.ok(d.Ack(g.t.Context()))
		g.holds(0, 1)
	},
	MarkLies: func(g *garden) {
		g.publish(1)
		c := g.consume()
		g.ok(g.receive(c).Requeue(g.t.Context()))
		if d := g.receive(c); d.Seen != broker.SeenFirst || d.Count != 2 {
			g.t.Errorf("the redelivery is %s, delivery %d", d.Seen, d.Count)
		}
	},
	RetrySettled: func(g *garden) {
		g.publish(1)
		d := g.receive(g.consume())
		retry := d.Message.Again()
		ctx, end := context.WithCancel(g.t.Context())
		g.ok(g.planted.Publish(ctx, retry)[0])
		end()
		g.holds(0, 0) // neither the failed delivery nor its retry: a crash here loses the task
		g.ok(d.Ack(g.t.Context()))
		g.holds(0, 1)
	},
	DelayIgnored: func(g *garden) {
		at := time.Now().Add(time.Hour)
		for range 2 {
			m, err := task.New("noop", task.Options{Queue: "q", ETA: at})
			g.ok(err)
			g.ok(g.planted.Publish(g.t.Context(), m)[0])
			if !m.ETA.Equal(at) {
				g.t.Error("the caller's message was changed")
			}
		}
		g.holds(1, 0) // the other one waits
	},
	OrderIgnored: func(g *garden) {
		m, err := task.New("noop", task.Options{Queue: "q", Priority: 9})
		g.ok(err)
		g.ok(g.planted.Publish(g.t.Context(), m)[0])
		if got := g.receive(g.consume()).Message.Priority; got != 0 || m.Priority != 9 {
			g.t.Errorf("received with priority %d; the caller's has %d", got, m.Priority)
		}
		asked := broker.Subscription{Order: broker.Strict, Prefetch: 1, Sources: []broker.Source{{Queue: "q", Weight: 3}, {Queue: "r"}}}
		s := g.plant.inTurns(asked)
		if s.Order != broker.Weighted || s.Sources[0].Weight != 1 || s.Sources[1].Weight != 1 || asked.Sources[0].Weight != 3 {
			g.t.Errorf("asked for %+v, subscribed to %+v", asked, s)
		}
		g.fired-- // once for each
	},
	Misrouted: func(g *garden) {
		g.ok(g.healthy.Declare(g.t.Context(), "r", "s"))
		g.plant.queues = []string{"r", "q"}
		for _, queue := range []string{"s", "q", "q"} {
			m, err := task.New("noop", task.Options{Queue: queue})
			g.ok(err)
			g.ok(g.planted.Publish(g.t.Context(), m)[0])
			if m.Queue != queue {
				g.t.Error("the caller's message was changed")
			}
		}
		for queue, want := range map[string]int{"s": 1, "q": 1, "r": 1} { // s is none of them
			if ready, _ := g.server.View(queue); ready != want {
				g.t.Errorf("%s has %d; want %d", queue, ready, want)
			}
		}
	},
	CensusOmits: func(g *garden) {
		g.publish(3)
		seen := 0
		for _, err := range g.planted.Census(g.t.Context(), "q") {
			g.ok(err)
			seen++
		}
		if seen != 2 {
			g.t.Errorf("the census has %d of 3", seen)
		}
	},
	ResultDropped: func(g *garden) {
		inner := memoryresult.NewServer().Open(result.Options{})
		store := g.plant.WrapResults(inner)
		g.ok(store.Store(g.t.Context(), result.Result{TaskID: "t", State: task.Success, Done: time.Now()}))
		r, err := store.Get(g.t.Context(), "t")
		g.ok(err)
		g.ok(store.Close(g.t.Context()))
		if r.State != task.Pending {
			g.t.Errorf("the store has it as %s", r.State)
		}
	},
	SuccessorDropped: func(g *garden) {
		first, err := task.New("noop", task.Options{Queue: "q"})
		g.ok(err)
		for range 2 {
			next, err := task.New("noop", task.Options{Queue: "q", ParentID: first.TaskID})
			g.ok(err)
			for _, err := range g.planted.Publish(g.t.Context(), first.Again(), next) {
				g.ok(err)
			}
		}
		g.holds(3, 0)
	},
	JoinedTwice: func(g *garden) {
		inner := memoryresult.NewServer().Open(result.Options{})
		store := g.plant.WrapResults(inner)
		for member, want := range []int{2, 2, 3} { // the second was counted with the first
			j, err := store.Join(g.t.Context(), result.Part{Chord: "c", Member: member, Size: 3, Value: []byte("1")})
			g.ok(err)
			if j.Members != want {
				g.t.Errorf("with member %d it counts %d; want %d", member, j.Members, want)
			}
		}
		g.ok(store.Close(g.t.Context()))
	},
}

func TestEachPlantDoesItsEvilOnceAndSaysSo(t *testing.T) {
	t.Parallel()
	for _, name := range Names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evil, known := evils[name]
			if !known {
				t.Fatal("this test does not know the plant")
			}
			g := newGarden(t, name)
			evil(g)
			if g.fired != 1 {
				t.Errorf("it says that it did something %d times", g.fired)
			}
		})
	}
}

func TestWhereNothingGivesItAnOccasionAPlantDoesNothing(t *testing.T) {
	t.Parallel()
	for _, name := range append(slices.Clone(Names), "") {
		t.Run("plant "+name, func(t *testing.T) {
			t.Parallel()
			g := newGarden(t, name)
			c := g.consume()
			if name == EarlyInLate || name == LateInEarly || name == DeliveredTwice {
				if err := c.Stop(t.Context()); err != nil { // any delivery is an occasion
					t.Error(err)
				}
				return
			}
			g.publish(1)
			d := g.receive(c)
			if d.Seen != broker.SeenFirst {
				t.Errorf("the delivery is %s", d.Seen)
			}
			g.ok(d.Ack(t.Context()))
			g.ok(c.Flush(t.Context()))
			g.ok(g.planted.Publish(t.Context(), d.Message.Again())[0]) // a retry after an early acknowledgement
			g.ok(g.receive(c).Ack(t.Context()))
			g.holds(0, 0)
			for h, err := range g.planted.Census(t.Context(), "q") {
				t.Errorf("held: %+v, %v", h, err)
			}
			if g.fired != 0 {
				t.Errorf("it did something %d times", g.fired)
			}
		})
	}
}

func TestAPlantIsAskedForByItsNameInTheEnvironmentAndWritesWhatItDoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worker.jsonl")
	w, err := ledger.Create(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(Env, "")
	if p, err := FromEnv(w); p != nil || err != nil {
		t.Errorf("without being asked: %v, %v", p, err)
	}
	t.Setenv(Env, "weeds")
	if p, err := FromEnv(w); p != nil || err == nil || !strings.Contains(err.Error(), `"weeds": use one of publish-dropped, `) {
		t.Errorf("for an unknown one: %v, %v", p, err)
	}
	t.Setenv(Env, PublishDropped)
	p, err := FromEnv(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(QueuesEnv, "high,low")
	if p, err := FromEnv(nil); err != nil || !slices.Equal(p.queues, []string{"high", "low"}) {
		t.Errorf("with queues: %+v, %v", p, err)
	}
	g := newGarden(t, "")
	g.planted = p.Wrap(g.healthy)
	g.publish(5)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := ledger.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if l := f.Lines[1]; len(f.Lines) != 3 || l.Event != ledger.PlantFired || l.Fault != PublishDropped {
		t.Errorf("the ledger: %+v", f.Lines)
	}
}
