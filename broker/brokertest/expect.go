package brokertest

import (
	"errors"
	"slices"
	"time"

	"acklab/broker"
	"acklab/task"
)

// until waits for a condition that an independent source reports.
func (p *probe) until(what string, ok func() bool) {
	p.Helper()
	p.untilWithin(p.h.Patience, what, ok)
}

func (p *probe) untilWithin(d time.Duration, what string, ok func() bool) {
	p.Helper()
	ctx := p.within(d)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			p.Fatalf("within %v it did not come true that %s", d, what)
		case <-tick.C:
		}
	}
}

// view is the server's own account of the queue. It asks again while the server does not answer: a consumer without a bound may
// have just taken all the places in its line of connections.
func (p *probe) view(queue string) View {
	p.Helper()
	ctx := p.soon()
	for {
		v, err := p.server.View(ctx, queue)
		if err == nil {
			return v
		}
		if ctx.Err() != nil {
			p.Fatalf("ask the server about queue %s: %v", queue, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *probe) untilView(queue string, want View) {
	p.Helper()
	var got View
	ctx := p.soon()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if got = p.view(queue); got == want {
			return
		}
		select {
		case <-ctx.Done():
			p.Fatalf("the server says %+v of the queue; want %+v", got, want)
		case <-tick.C:
		}
	}
}

// census is what the broker holds, by message id. A message that is named
// twice is an error.
func (p *probe) census(b broker.Broker, queue string) map[string]broker.Held {
	p.Helper()
	held, err := p.tryCensus(b, queue)
	if err != nil {
		p.Fatalf("census: %v", err)
	}
	return held
}

func (p *probe) tryCensus(b broker.Broker, queue string) (map[string]broker.Held, error) {
	p.Helper()
	held := map[string]broker.Held{}
	for one, err := range b.Census(p.soon(), queue) {
		if err != nil {
			return held, err
		}
		if one.Message == nil || one.Message.ID == "" {
			p.Errorf("the census names a message without an id: %+v", one)
			continue
		}
		if _, twice := held[one.Message.ID]; twice {
			p.Errorf("two copies of message %s are held", one.Message.ID)
		}
		held[one.Message.ID] = one
	}
	return held, nil
}

// wantHeld requires that the census is exactly the messages, all in state.
func (p *probe) wantHeld(b broker.Broker, queue string, state broker.State, msgs ...*task.Message) {
	p.Helper()
	held := p.census(b, queue)
	for _, m := range msgs {
		h, ok := held[m.ID]
		switch {
		case !ok:
			p.Errorf("message %s (number %d) is not in the census", m.ID, number(m))
		case h.State != state:
			p.Errorf("message %s is %q in the census; want %q", m.ID, h.State, state)
		case h.Queue != queue:
			p.Errorf("message %s is held for queue %q; want %q", m.ID, h.Queue, queue)
		}
	}
	if len(held) != len(msgs) {
		p.Errorf("the census names %d messages; want %d", len(held), len(msgs))
	}
}

// wantEmpty requires that neither the server nor the census knows of a
// message, nor of a consumer's delivery.
func (p *probe) wantEmpty(b broker.Broker, queue string) {
	p.Helper()
	if p.server.View != nil {
		if v := p.view(queue); v != (View{}) {
			p.Errorf("the server still holds %+v", v)
		}
	}
	for id, h := range p.census(b, queue) {
		p.Errorf("message %s is still held, as %q", id, h.State)
	}
}

// wantIs requires that err wraps one of the targets.
func (p *probe) wantIs(err error, what string, targets ...error) {
	p.Helper()
	if !slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) }) {
		p.Errorf("%s: got %v; want an error that wraps %v", what, err, targets)
	}
}

// leave closes a client whose server is out of reach: it may say that it
// could not give everything back, but it must return.
func (p *probe) leave(b broker.Broker) {
	p.Helper()
	done := make(chan error, 1)
	p.spawn(func() { done <- b.Close(p.soon()) })
	p.returned("Close of a client that is cut off", done)
}

// returned waits for a call that must return, whatever it returns.
func (p *probe) returned(what string, done <-chan error) error {
	p.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(2 * p.h.Patience):
		p.Fatalf("%s has not returned after %v", what, 2*p.h.Patience)
		return nil
	}
}
