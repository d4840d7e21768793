package worker_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
)

// pair is a chord of a and b, whose callback has an errback. The message of b is
// changed before it is published.
func (b *bench) pair(change func(*task.Message)) {
	b.t.Helper()
	back := call("back", "same")
	back.LinkError = []*task.Signature{call("err", "same")}
	second := call("b", "add", 2)
	second.LinkError = []*task.Signature{call("err-b", "same")}
	plan, err := task.Chord([]*task.Signature{call("a", "add", 1), second}, task.Chain(back, call("after", "same"))).Plan(task.Options{Queue: queue})
	b.must("plan", err)
	changed := *plan.First[1]
	change(&changed)
	for _, err := range b.client.Publish(b.t.Context(), plan.First[0], &changed) {
		b.must("publish", err)
	}
}

// chordBroken checks that b was not run, and that its chord knows.
func (b *bench) chordBroken(s result.Store, reason string) {
	b.t.Helper()
	b.holds(0, 0, 1)
	if got := b.one(ledger.Rejecting); got.Task != "b" || !strings.Contains(got.Reason, reason) {
		b.t.Errorf("rejecting: %+v; want %q", got, reason)
	}
	for id, want := range map[string]string{"a": "1", "back": "ChordError: Dependency b raised ", "after": "UpstreamError", "err": `["back"]`} {
		if got := value(b.t, s, id); !strings.HasPrefix(got, want) {
			b.t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
	if got := b.calledOff(); got != "after back" {
		b.t.Errorf("called off: %s", got)
	}
}

func TestAChordIsToldOfAMemberWhoseLinksCannotBeRead(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.pair(func(m *task.Message) {
			m.Embed = bytes.Replace(m.Embed, []byte(`"callbacks":null`), []byte(`"callbacks":[{"task":"x","subtask_type":"chunks"}]`), 1)
		})
		b.start()
		b.chordBroken(s, "chunks")
		if got := value(b.t, s, "err-b"); got != `["b"]` { // it could be read
			b.t.Errorf("the errback of b is %s", got)
		}
	})
}

func TestAChordIsToldOfAMemberThatDoesNotSayWhichOneItIs(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.pair(func(m *task.Message) { m.Extra = nil })
		b.start()
		b.chordBroken(s, "its place there <nil>")
	})
}

// misread hands out the message of b as one of which not all could be read.
type misread struct{ broker.Broker }

func (m misread) Consume(ctx context.Context, s broker.Subscription) (broker.Consumer, error) {
	c, err := m.Broker.Consume(ctx, s)
	return misreading{c}, err
}

type misreading struct{ broker.Consumer }

func (m misreading) Receive(ctx context.Context) (*broker.Delivery, error) {
	d, err := m.Consumer.Receive(ctx)
	if err == nil && d.Message.TaskID == "b" {
		d.Malformed = errors.New("the body's args are not an array")
	}
	return d, err
}

func TestAChordIsToldOfAMemberWhoseMessageCannotBeRead(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		open := b.cfg.Open
		b.cfg.Open = func(ctx context.Context, o broker.Options) (broker.Broker, error) {
			next, err := open(ctx, o)
			return misread{next}, err
		}
		b.pair(func(*task.Message) {})
		b.start()
		b.chordBroken(s, "not an array")
		if got := value(b.t, s, "err-b"); got != "PENDING" { // its id may be made up
			b.t.Errorf("the errback of b is %s", got)
		}
	})
}
