package brokertest

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"acklab/broker"
	"acklab/task"
)

func publishTests() []test {
	return []test{
		{"publish then receive equals what was sent", nil, receiveEquals},
		{"a message with no options arrives with none", nil, receivePlainEquals},
		{"publish confirms each of many messages", nil, confirmMany},
		{"publish returns one error per message in order", []need{needRefusal}, errorsInOrder},
		{"publish of nothing returns nothing", nil, publishNothing},
		{"a publish with nothing listening is refused as unreachable", []need{needProxy}, nothingListens},
		{"a publish after its context has ended is not confirmed", nil, publishTooLate},
		{"a publish to an unknown queue is refused as unroutable", []need{needRefusal}, unknownRefused},
		{"a publish to an unknown queue is stored", []need{needAcceptance}, unknownStored},
		{"a message above the size limit is refused as too large", []need{needSizeLimit}, tooLarge},
		{"a message of one megabyte arrives byte for byte", []need{needPayload(1 << 20)}, largePayload},
	}
}

func receiveEquals(p *probe) {
	b := p.open()
	q := p.queue(b)
	now := time.Now().UTC().Truncate(time.Second)
	sent := &task.Message{
		ID: "id-" + q, TaskID: "task-" + q, Name: "shop.send_email",
		Args:   []json.RawMessage{[]byte(`4`), []byte(`"grüße ☂ \u0000"`), []byte(`9007199254740993`), []byte(`[1.5,{"a":null}]`)},
		Kwargs: map[string]json.RawMessage{"to": []byte(`"a@b"`), "deep": []byte(`{"x":[true,false]}`)},
		Options: task.Options{
			Queue: q, Priority: 3, ETA: now.Add(-time.Minute), Expires: now.Add(time.Hour), Retries: 2,
			SoftLimit: 5 * time.Second, HardLimit: 7 * time.Second,
			RootID: "root-1", ParentID: "parent-1", GroupID: "group-1", ReplyTo: "reply-1",
			Origin: "gen1@host", IgnoreResult: true,
			Embed: []byte(`{"callbacks":null,"errbacks":null,"chain":[{"task":"shop.bill","args":[1]}],"chord":null}`),
			Extra: map[string]any{"x-trace": "00-4bf92f"},
		},
	}
	p.publish(b, sent)
	c := p.consume(b, q, 1)
	d := p.receive(c)
	if d.Malformed != nil {
		p.Fatalf("our own message came back as malformed: %v", d.Malformed)
	}
	if d.Queue != q {
		p.Errorf("delivery from queue %q; want %q", d.Queue, q)
	}
	p.wantSame(sent, d.Message)
	p.ack(d)
	p.flush(c)
}

func receivePlainEquals(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent, err := task.New("plain", task.Options{Queue: q})
	if err != nil {
		p.Fatal(err)
	}
	p.publish(b, sent)
	c := p.consume(b, q, 1)
	d := p.receive(c)
	want := *sent
	if d.Message.RootID == sent.TaskID {
		want.RootID = sent.TaskID // the same said in words: it is its own root
	}
	p.wantSame(&want, d.Message)
	p.ack(d)
	p.flush(c)
}

func confirmMany(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 500)
	p.wantHeld(b, q, broker.Queued, sent...)
}

func errorsInOrder(p *probe) {
	b := p.open()
	q := p.queue(b)
	msgs := p.messages(q, 31) // no pattern that reads the same backwards
	var stored []*task.Message
	for i, m := range msgs {
		if i%3 == 1 {
			m.Queue = "never-declared-" + q
		} else {
			stored = append(stored, m)
		}
	}
	errs := b.Publish(p.soon(), msgs...)
	if len(errs) != len(msgs) {
		p.Fatalf("publish of %d messages returned %d errors", len(msgs), len(errs))
	}
	for i, err := range errs {
		if refused := errors.Is(err, broker.ErrRefused); refused != (i%3 == 1) || (err != nil) != refused {
			p.Errorf("message %d for queue %q: got %v", i, msgs[i].Queue, err)
		}
	}
	p.wantHeld(b, q, broker.Queued, stored...)
}

func publishNothing(p *probe) {
	if errs := p.open().Publish(p.soon()); len(errs) != 0 {
		p.Errorf("publish of no message returned %v", errs)
	}
}

func largePayload(p *probe) {
	b := p.open()
	q := p.queue(b)
	text := strings.Repeat("0123456789abcdef", 1<<16-8)
	m, err := task.New("large", task.Options{Queue: q}, text)
	if err != nil {
		p.Fatal(err)
	}
	p.publish(b, m)
	c := p.consume(b, q, 1)
	d := p.receive(c)
	if len(d.Message.Args) != 1 || string(d.Message.Args[0]) != string(m.Args[0]) {
		p.Error("what arrived differs from what was sent")
	}
	p.ack(d)
	p.flush(c)
}
