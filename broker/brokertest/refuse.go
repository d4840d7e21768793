package brokertest

import (
	"context"
	"errors"
	"net"
	"strings"

	"acklab/broker"
	"acklab/task"
)

// refusalTests are the harness's own ways to be refused.
func refusalTests(h Harness) []test {
	var all []test
	for _, r := range h.Refusals {
		all = append(all, test{"refused: " + r.Name, nil, func(p *probe) {
			b, m := r.Provoke(p.T)
			p.wantRefused(b.Publish(p.soon(), m), r.Reason)
		}})
	}
	return all
}

// wantRefused requires one error that is a refusal for the reason.
func (p *probe) wantRefused(errs []error, reason broker.Reason) {
	p.Helper()
	if len(errs) != 1 {
		p.Fatalf("publish of one message returned %d errors", len(errs))
	}
	var r *broker.Refusal
	switch {
	case errs[0] == nil:
		p.Errorf("the publish was confirmed; want a refusal as %q", reason)
	case errors.Is(errs[0], broker.ErrUnsure):
		p.Errorf("the publish was unsure (%v); want a refusal as %q", errs[0], reason)
	case !errors.Is(errs[0], broker.ErrRefused):
		p.Errorf("the publish returned %v, which wraps neither ErrRefused nor ErrUnsure", errs[0])
	case !errors.As(errs[0], &r):
		p.Errorf("the refusal %v carries no *broker.Refusal", errs[0])
	case r.Reason != reason:
		p.Errorf("refused as %q (%v); want %q", r.Reason, errs[0], reason)
	}
}

func nothingListens(p *probe) {
	b := p.server.OpenAt(p.T, p.freeAddr(), broker.Options{})
	p.wantRefused(b.Publish(p.soon(), p.messages("any", 1)...), broker.Unreachable)
}

// freeAddr is a host:port where nothing listens.
func (p *probe) freeAddr() string {
	p.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func publishTooLate(p *probe) {
	b := p.open()
	q := p.queue(b)
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	msgs := p.messages(q, 5)
	errs := b.Publish(ctx, msgs...)
	if len(errs) != len(msgs) {
		p.Fatalf("publish of %d messages returned %d errors", len(msgs), len(errs))
	}
	held := p.census(b, q)
	for i, err := range errs {
		if what := judge(err, msgs[i], held); what != "" {
			p.Error(what)
		}
		if err == nil {
			p.Errorf("message %d was confirmed although its context had ended", i)
		}
	}
}

func unknownRefused(p *probe) {
	b := p.open()
	p.queue(b)
	p.wantRefused(b.Publish(p.soon(), p.messages("never-declared-"+p.queue(b), 1)...), broker.Unroutable)
}

func unknownStored(p *probe) {
	b := p.open()
	q := "never-declared-" + p.queue(b)
	sent := p.put(b, q, 3)
	p.wantHeld(b, q, broker.Queued, sent...)
	c := p.consume(b, q, 3)
	ds := p.receiveN(c, 3)
	p.ack(ds...)
	p.flush(c)
}

func tooLarge(p *probe) {
	b := p.open()
	q := p.queue(b)
	m, err := task.New("large", task.Options{Queue: q}, strings.Repeat("x", p.traits.MaxPayload+1))
	if err != nil {
		p.Fatal(err)
	}
	p.wantRefused(b.Publish(p.soon(), m), broker.TooLarge)
	p.publish(b, p.messages(q, 1)...) // and the client still works
}
