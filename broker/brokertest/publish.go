package brokertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
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
			Embed: []byte(`{"callbacks":null,"errbacks":null,"chain":null,"chord":null}`),
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

// wantSame compares two messages field by field; JSON up to white space.
func (p *probe) wantSame(sent, got *task.Message) {
	p.Helper()
	type field struct {
		name      string
		sent, got any
	}
	s, g := sent.Options, got.Options
	for _, f := range []field{
		{"ID", sent.ID, got.ID}, {"TaskID", sent.TaskID, got.TaskID}, {"Name", sent.Name, got.Name},
		{"Args", canonical(sent.Args), canonical(got.Args)}, {"Kwargs", canonical(sent.Kwargs), canonical(got.Kwargs)},
		{"Queue", s.Queue, g.Queue}, {"Priority", s.Priority, g.Priority}, {"Retries", s.Retries, g.Retries},
		{"ETA", s.ETA.UTC(), g.ETA.UTC()}, {"Expires", s.Expires.UTC(), g.Expires.UTC()},
		{"SoftLimit", s.SoftLimit, g.SoftLimit}, {"HardLimit", s.HardLimit, g.HardLimit},
		{"RootID", s.RootID, g.RootID}, {"ParentID", s.ParentID, g.ParentID}, {"GroupID", s.GroupID, g.GroupID},
		{"ReplyTo", s.ReplyTo, g.ReplyTo}, {"Origin", s.Origin, g.Origin}, {"IgnoreResult", s.IgnoreResult, g.IgnoreResult},
		{"Extra", canonical(s.Extra), canonical(g.Extra)},
	} {
		if f.sent != f.got {
			p.Errorf("%s: sent %v, received %v", f.name, f.sent, f.got)
		}
	}
	if s.Embed != nil && canonical(s.Embed) != canonical(g.Embed) {
		p.Errorf("Embed: sent %s, received %s", s.Embed, g.Embed)
	}
}

// canonical is v as JSON; empty maps and lists are the same as none.
func canonical(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("not JSON: %v", err)
	}
	if text := string(raw); text != "[]" && text != "{}" {
		return text
	}
	return "null"
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

func nothingListens(p *probe) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		p.Fatal(err)
	}
	b := p.server.OpenAt(p.T, addr, broker.Options{})
	p.wantRefused(b.Publish(p.soon(), p.messages("any", 1)...), broker.Unreachable)
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
		p.checkFate(err, msgs[i], held)
		if err == nil {
			p.Errorf("message %d was confirmed although its context had ended", i)
		}
	}
}

// checkFate compares what Publish said about a message with the census.
func (p *probe) checkFate(err error, m *task.Message, held map[string]broker.Held) {
	p.Helper()
	_, there := held[m.ID]
	switch {
	case err == nil && !there:
		p.Errorf("message %s was confirmed and is not held: lost", m.ID)
	case errors.Is(err, broker.ErrRefused) && there:
		p.Errorf("message %s was refused (%v) and is held: phantom", m.ID, err)
	case errors.Is(err, broker.ErrRefused) && errors.Is(err, broker.ErrUnsure):
		p.Errorf("message %s: %v is both refused and unsure", m.ID, err)
	case err != nil && !errors.Is(err, broker.ErrRefused) && !errors.Is(err, broker.ErrUnsure):
		p.Errorf("message %s: %v wraps neither ErrRefused nor ErrUnsure", m.ID, err)
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
