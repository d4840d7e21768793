package brokertest

import (
	"time"

	"acklab/broker"
	"acklab/task"
)

func delayTests() []test {
	return []test{
		{"a message with an ETA is held until then", []need{needHeldDelay}, delayHeld},
		{"a message with an ETA is delivered at once for the worker to hold", []need{needNoDelay}, delayNotHeld},
	}
}

func (p *probe) putLater(b broker.Broker, queue string, after time.Duration) *task.Message {
	p.Helper()
	m, err := task.New("later", task.Options{Queue: queue, ETA: time.Now().Add(after).UTC().Truncate(time.Millisecond)})
	if err != nil {
		p.Fatal(err)
	}
	p.publish(b, m)
	return m
}

// delayHeld allows a second either way: brokers keep whole seconds.
func delayHeld(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.wantHeld(b, q, broker.Delayed, p.putLater(b, q, time.Hour))
	q = p.queue(b)
	m := p.putLater(b, q, 3*time.Second)
	c := p.consume(b, q, 1)
	d := p.receive(c)
	if early := time.Until(m.ETA); early > time.Second {
		p.Errorf("delivered %v before its time", early)
	}
	p.ack(d)
	p.flush(c)
}

func delayNotHeld(p *probe) {
	b := p.open()
	q := p.queue(b)
	m := p.putLater(b, q, time.Hour)
	c := p.consume(b, q, 1)
	d := p.receive(c)
	if d.Message.ID != m.ID || !d.Message.ETA.Equal(m.ETA) {
		p.Errorf("received message %s with ETA %v; want %s with %v", d.Message.ID, d.Message.ETA, m.ID, m.ETA)
	}
	p.ack(d)
	p.flush(c)
}
