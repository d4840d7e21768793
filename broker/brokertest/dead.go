package brokertest

import (
	"sync"

	"acklab/broker"
	"acklab/task"
)

func deadLetterTests() []test {
	return []test{
		{"a rejected message is parked with its reason", []need{needDeadLetters}, parked},
		{"a reject whose connection breaks loses nothing, 10 times", []need{needDeadLetters, needCut}, rejectCut},
		{"foreign bytes arrive as a malformed delivery", []need{needRaw}, malformed},
		{"a malformed delivery can be parked", []need{needRaw, needDeadLetters}, malformedParked},
	}
}

// parked rejects one of three messages, each with a history of its own.
func parked(p *probe) {
	b := p.open()
	q := p.queue(b)
	m, err := task.New("shop.pay", task.Options{Queue: q, Retries: 3, Origin: "gen@host", RootID: "root"}, 4, "euro")
	if err != nil {
		p.Fatal(err)
	}
	p.publish(b, m)
	others := p.put(b, q, 2)
	c := p.consume(b, q, 3)
	for _, d := range p.receiveN(c, 3) {
		if d.Message.ID == m.ID {
			if err := d.Reject(p.soon(), "boom: card declined"); err != nil {
				p.Fatalf("reject: %v", err)
			}
		}
	}
	p.flush(c)
	p.closeConsumer(c)
	p.wantDepth(b, q, func(d broker.Depth) map[string]countWant {
		return map[string]countWant{"Dead": {d.Dead, 1}, "Ready": {d.Ready, 2}}
	})
	held := p.census(b, q)
	dead, ok := held[m.ID]
	if !ok {
		p.Fatal("the rejected message is not held")
	}
	if dead.State != broker.Dead || dead.Reason != "boom: card declined" || dead.Queue != q {
		p.Errorf("held as state %q, reason %q, queue %q; want dead, with the reason, of queue %q", dead.State, dead.Reason, dead.Queue, q)
	}
	p.wantSame(m, dead.Message)
	for _, o := range others {
		if held[o.ID].State != broker.Queued {
			p.Errorf("a message that was given back is held as %q", held[o.ID].State)
		}
	}
	if len(held) != 3 {
		p.Errorf("the census names %d messages; want 3", len(held))
	}
}

// rejectCut breaks the connection in the middle of 20 rejects. A message may
// be parked, or back, or both; it may not be nowhere.
func rejectCut(p *probe) {
	direct := p.open()
	for range 10 {
		q := p.queue(direct)
		sent := p.put(direct, q, 20)
		l := p.link(broker.Options{})
		c := p.consume(l, q, 20)
		ds := p.receiveN(c, 20)
		first := make(chan struct{}, len(ds))
		var rejected sync.WaitGroup
		for _, d := range ds {
			rejected.Add(1)
			p.spawn(func() {
				defer rejected.Done()
				_ = d.Reject(p.soon(), "in a hurry") // whatever it says
				first <- struct{}{}
			})
		}
		<-first
		l.cut()
		rejected.Wait()
		_ = l.Close(p.soon())
		p.until("the server has no consumer left", func() bool {
			depth, err := direct.Depth(p.soon(), q)
			return err == nil && (depth.Consumers == nil || *depth.Consumers == 0)
		})
		p.quiet(q)
		states := p.states(direct, q)
		for _, m := range sent {
			if len(states[m.ID]) == 0 {
				p.Errorf("message %s was rejected over a broken connection and is nowhere", m.ID)
			}
		}
	}
}

// states are all places where the broker holds each message.
func (p *probe) states(b broker.Broker, queue string) map[string][]broker.State {
	p.Helper()
	all := map[string][]broker.State{}
	for h, err := range b.Census(p.soon(), queue) {
		if err != nil {
			p.Fatalf("census: %v", err)
		}
		all[h.Message.ID] = append(all[h.Message.ID], h.State)
	}
	return all
}

func malformed(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.putRaw(q, "\xff\xfe this is no JSON {")
	good := p.put(b, q, 1)[0]
	c := p.consume(b, q, 2)
	for _, d := range p.receiveN(c, 2) {
		switch {
		case d.Message.ID == good.ID:
			if d.Malformed != nil {
				p.Errorf("a good message is malformed: %v", d.Malformed)
			}
		case d.Malformed == nil:
			p.Error("bytes that nobody can read came as a good message")
		case d.Message.ID == "":
			p.Error("a malformed delivery has no id")
		}
		p.ack(d)
	}
	p.flush(c)
	p.closeConsumer(c)
	p.wantEmpty(b, q)
}

func malformedParked(p *probe) {
	b := p.open()
	q := p.queue(b)
	p.putRaw(q, `{"neither": "args nor kwargs"}`)
	c := p.consume(b, q, 1)
	d := p.receive(c)
	if d.Malformed == nil {
		p.Error("a body that is no task came as a good message")
	}
	if err := d.Reject(p.soon(), "malformed"); err != nil {
		p.Fatalf("reject: %v", err)
	}
	p.flush(c)
	p.closeConsumer(c)
	held := p.census(b, q)
	if len(held) != 1 {
		p.Errorf("the census names %d messages; want the parked one", len(held))
	}
	for _, h := range held {
		if h.State != broker.Dead || h.Reason != "malformed" {
			p.Errorf("held as %q with reason %q; want dead, malformed", h.State, h.Reason)
		}
	}
}

func (p *probe) putRaw(queue, body string) {
	p.Helper()
	if err := p.server.PutRaw(p.soon(), queue, []byte(body)); err != nil {
		p.Fatalf("put foreign bytes on the queue: %v", err)
	}
}
