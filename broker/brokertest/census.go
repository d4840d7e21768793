package brokertest

import (
	"acklab/broker"
)

func censusTests() []test {
	return []test{
		{"the census names what was put in every state", nil, censusStates},
		{"the census and the depth see what is with a consumer", []need{needSeesUnacked}, censusUnacked},
		{"a census that cannot see what a consumer holds is an error", []need{needBlind}, censusBlind},
		{"the census of an empty queue is empty", nil, censusEmpty},
		{"a census can be left early", nil, censusLeft},
	}
}

// countWant is one number of a Depth and what it should be.
type countWant struct {
	got  *int
	want int
}

func (p *probe) wantDepth(b broker.Broker, queue string, counts func(broker.Depth) map[string]countWant) {
	p.Helper()
	d, err := b.Depth(p.soon(), queue)
	if err != nil {
		p.Fatalf("depth: %v", err)
	}
	for name, c := range counts(d) {
		if c.got != nil && *c.got != c.want {
			p.Errorf("Depth.%s is %d; want %d", name, *c.got, c.want)
		}
	}
}

// censusStates puts messages in all the states that the broker knows of
// without a consumer, and requires that the census and the depth agree.
func censusStates(p *probe) {
	b := p.open()
	q := p.queue(b)
	want := map[string]broker.State{}
	if p.traits.DeadLetters != broker.Absent {
		p.put(b, q, 3)
		c := p.consume(b, q, 3)
		for _, d := range p.receiveN(c, 3) {
			if err := d.Reject(p.soon(), "parked for the census"); err != nil {
				p.Fatalf("reject: %v", err)
			}
			want[d.Message.ID] = broker.Dead
		}
		p.flush(c)
		p.closeConsumer(c)
	}
	dead := len(want)
	for _, m := range p.put(b, q, 7) {
		want[m.ID] = broker.Queued
	}
	delayed := 0
	if needHeldDelay(p) == "" {
		for range 2 {
			want[p.putLater(b, q, 3600e9).ID] = broker.Delayed
			delayed++
		}
	}
	p.wantDepth(b, q, func(d broker.Depth) map[string]countWant {
		return map[string]countWant{"Ready": {d.Ready, 7}, "Dead": {d.Dead, dead}, "Delayed": {d.Delayed, delayed},
			"Unacked": {d.Unacked, 0}, "Consumers": {d.Consumers, 0}}
	})
	if d, err := b.Depth(p.soon(), q); err != nil || d.Ready == nil {
		p.Errorf("the depth does not tell how many messages are ready: %+v, %v", d, err)
	}
	held := p.census(b, q)
	for id, state := range want {
		if h, ok := held[id]; !ok || h.State != state {
			p.Errorf("message %s is held as %q; want %q", id, h.State, state)
		}
	}
	if len(held) != len(want) {
		p.Errorf("the census names %d messages; want %d", len(held), len(want))
	}
}

func censusUnacked(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 5)
	c := p.consume(b, q, 2)
	ds := p.receiveN(c, 2)
	p.wantDepth(b, q, func(d broker.Depth) map[string]countWant {
		return map[string]countWant{"Ready": {d.Ready, 3}, "Unacked": {d.Unacked, 2}, "Consumers": {d.Consumers, 1}}
	})
	held := p.census(b, q)
	for _, d := range ds {
		if h := held[d.Message.ID]; h.State != broker.Unacked {
			p.Errorf("a message with a consumer is held as %q; want %q", h.State, broker.Unacked)
		}
	}
	if len(held) != len(sent) {
		p.Errorf("the census names %d messages; want %d", len(held), len(sent))
	}
	p.closeConsumer(c)
	p.wantHeld(b, q, broker.Queued, sent...)
}

func censusBlind(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.put(b, q, 2)
	c := p.consume(b, q, 1)
	p.receive(c)
	held, err := p.tryCensus(p.open(), q)
	if err == nil {
		p.Errorf("a consumer holds a message, the census names %d of 2 and says that this is all", len(held))
	}
}

func censusEmpty(p *probe) {
	b := p.open()
	if held := p.census(b, p.queue(b)); len(held) != 0 {
		p.Errorf("an empty queue holds %v", held)
	}
}

func censusLeft(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.put(b, q, 5)
	for _, err := range b.Census(p.soon(), q) {
		if err != nil {
			p.Fatalf("census: %v", err)
		}
		break
	}
	p.put(b, p.queue(b), 1) // and the client still works
}
