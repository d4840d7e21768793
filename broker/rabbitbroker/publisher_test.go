package rabbitbroker

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
	"acklab/task"
)

func wantReason(t testing.TB, err error, want broker.Reason) {
	t.Helper()
	r, ok := errors.AsType[*broker.Refusal](err)
	if !ok || r.Reason != want {
		t.Errorf("got %v; want a refusal as %q", err, want)
	}
}

// A return and its confirm arrive on different paths of the client library;
// many callers at once must never take one without the other, nor another's.
func TestAReturnIsNeverMistakenForAConfirm(t *testing.T) {
	t.Parallel()
	w := newWitness()
	known, unknown := queueName(), queueName()
	b, _ := stocked(t, calmNode(t).URL(""), known, 0, broker.Options{Observe: w.observe})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			var msgs []*task.Message
			for i, m := range messages(t, known, 500) {
				if i%2 == 1 {
					m.Queue = unknown
				}
				msgs = append(msgs, m)
			}
			for i, err := range b.Publish(within(t), msgs...) {
				if i%2 == 1 {
					wantReason(t, err, broker.Unroutable)
				} else if err != nil {
					t.Errorf("publish to a queue that exists: %v", err)
				}
			}
		})
	}
	wait.Wait()
	if n := len(w.of(broker.Returned)); n != 8*250 {
		t.Errorf("%d returns were told; want %d", n, 8*250)
	}
	depth, err := b.Depth(within(t), known)
	if err != nil || *depth.Ready != 8*250 {
		t.Errorf("depth %v, %v; want %d ready", depth, err, 8*250)
	}
}

// The same message id twice at once, to a queue that exists and to one that
// does not, and twice to the same queue.
func TestTwinsOfAMessageAreToldApart(t *testing.T) {
	t.Parallel()
	known, unknown := queueName(), queueName()
	b, _ := stocked(t, calmNode(t).URL(""), known, 0, broker.Options{})
	var msgs []*task.Message
	for _, m := range messages(t, known, 100) {
		lost := *m
		lost.Queue = unknown
		msgs = append(msgs, m, &lost, m, &lost)
	}
	for i, err := range b.Publish(within(t), msgs...) {
		if i%2 == 1 {
			wantReason(t, err, broker.Unroutable)
		} else if err != nil {
			t.Errorf("publish to a queue that exists: %v", err)
		}
	}
}

func TestAPendingConfirmIsUnsureWhenTheConnectionIsLost(t *testing.T) {
	t.Parallel()
	r := startNode(t)
	queue := queueName()
	b, _ := stocked(t, r.URL(""), queue, 1, broker.Options{})
	s := b.publisher.session
	if err := r.Freeze(within(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Thaw(within(t)) })
	written := make(chan []error, 1)
	go func() { written <- b.Publish(within(t), messages(t, queue, 300)...) }()
	until(t, "the window is full", func() bool { return len(s.places) == window })
	b.end(nil) // no new connection: what was not written is refused
	s.link.abandon()
	unsure, refused := 0, 0
	for _, err := range <-written {
		switch {
		case errors.Is(err, broker.ErrUnsure) && !errors.Is(err, broker.ErrRefused):
			unsure++
		case errors.Is(err, broker.ErrRefused) && !errors.Is(err, broker.ErrUnsure):
			refused++
		default:
			t.Errorf("publish over a lost connection: %v", err)
		}
	}
	// On a busy machine the writer gets hold of the freed places before it learns
	// that the link is gone; what it writes then may have left, for all it knows.
	if unsure < window-1 || unsure+refused != 300 {
		t.Errorf("%d unsure and %d refused; want at least %d and the rest", unsure, refused, window-1)
	}
}

func TestAPublishToAFrozenServerReturnsWithItsContext(t *testing.T) {
	t.Parallel()
	r := startNode(t)
	queue := queueName()
	b, _ := stocked(t, r.URL(""), queue, 1, broker.Options{})
	if err := r.Freeze(within(t)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	huge := messages(t, queue, 1)[0]
	huge.Args = append(huge.Args, []byte(`"`+strings.Repeat("x", 20<<20)+`"`)) // more than the socket takes
	published := make(chan []error, 1)
	go func() { published <- b.Publish(ctx, append([]*task.Message{huge}, messages(t, queue, 100)...)...) }()
	until(t, "the message is being written", func() bool { return len(b.publisher.session.places) == 1 })
	cancel()
	errs := <-published
	if !errors.Is(errs[0], broker.ErrUnsure) {
		t.Errorf("a message half written: %v; want unsure", errs[0])
	}
	wantReason(t, errs[100], broker.Cancelled)
	closing, cancelClose := context.WithTimeout(context.Background(), time.Second)
	defer cancelClose()
	done := make(chan error, 1)
	go func() { done <- b.Close(closing) }()
	select {
	case <-done:
	case <-within(t).Done():
		t.Error("Close hangs on a frozen server")
	}
	if err := r.Thaw(within(t)); err != nil {
		t.Fatal(err)
	}
}

func TestAServerInAnAlarmIsToldAndRefusesWhatWasNotSent(t *testing.T) {
	t.Parallel()
	r := startNode(t)
	w := newWitness()
	queue := queueName()
	b, _ := stocked(t, r.URL(""), queue, 1, broker.Options{Observe: w.observe})
	if out, err := r.Eval(within(t), "vm_memory_monitor:set_vm_memory_high_watermark(0.0000001)"); err != nil {
		t.Fatal(out, err)
	}
	confirmed, stop, stopped := 1, make(chan struct{}), make(chan error, 1)
	go func() { // the server says so on a publish
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			if err := b.Publish(within(t), messages(t, queue, 1)...)[0]; err != nil {
				stopped <- err
				return
			}
			confirmed++
		}
	}()
	if e := w.await(t, broker.Blocked, 1)[0]; e.Err == nil || !strings.Contains(e.Err.Error(), "memory") {
		t.Errorf("blocked, because %v", e.Err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	for _, err := range b.Publish(ctx, messages(t, queue, 3)...) {
		wantReason(t, err, broker.Full)
	}
	if _, err := b.Depth(within(t), queue); err != nil {
		t.Errorf("depth during an alarm: %v", err)
	}
	if out, err := r.Eval(within(t), "vm_memory_monitor:set_vm_memory_high_watermark(0.4)"); err != nil {
		t.Fatal(out, err)
	}
	w.await(t, broker.Unblocked, 1)
	close(stop)
	if err := <-stopped; err != nil {
		t.Errorf("a publish that went on after the alarm: %v", err)
	}
	if depth, err := b.Depth(within(t), queue); err != nil || *depth.Ready != confirmed {
		t.Errorf("depth %v, %v; want %d ready", depth, err, confirmed)
	}
}

func TestAServersOwnSizeLimitIsARefusal(t *testing.T) {
	t.Parallel()
	r := startNode(t, "max_message_size = 1000")
	queue := queueName()
	b, _ := stocked(t, r.URL(""), queue, 1, broker.Options{})
	m := messages(t, queue, 1)[0]
	m.Args = append(m.Args, []byte(`"`+strings.Repeat("x", 2000)+`"`))
	wantReason(t, b.Publish(within(t), m)[0], broker.TooLarge)
	if err := b.Publish(within(t), messages(t, queue, 1)...)[0]; err != nil {
		t.Errorf("publish after a channel error: %v", err)
	}
}

func TestWhatAMQPCannotCarryIsRefusedAndTheConnectionStands(t *testing.T) {
	t.Parallel()
	w := newWitness()
	queue := queueName()
	b, _ := stocked(t, calmNode(t).URL(""), queue, 0, broker.Options{Observe: w.observe})
	long := strings.Repeat("n", 300)
	for name, change := range map[string]func(*task.Message){
		"a long queue name":  func(m *task.Message) { m.Queue = long },
		"a long message id":  func(m *task.Message) { m.ID = long },
		"a long task id":     func(m *task.Message) { m.TaskID = long },
		"a long reply-to":    func(m *task.Message) { m.ReplyTo = long },
		"a long header name": func(m *task.Message) { m.Extra = map[string]any{long: "x"} },
		"no queue":           func(m *task.Message) { m.Queue = "" },
	} {
		m := messages(t, queue, 1)[0]
		change(m)
		if err := b.Publish(within(t), m)[0]; !errors.Is(err, broker.ErrRefused) {
			t.Errorf("%s: %v; want a refusal", name, err)
		}
	}
	m := messages(t, queue, 1)[0]
	m.Extra = map[string]any{"big": strings.Repeat("x", 200<<10)}
	wantReason(t, b.Publish(within(t), m)[0], broker.TooLarge)
	wantReason(t, b.Publish(within(t), nil)[0], broker.Invalid)
	m.Extra = map[string]any{"fits": strings.Repeat("x", 100<<10), "nested": map[string]any{"list": []any{int64(1), nil, map[string]any{"a": true}}}}
	if err := b.Publish(within(t), m)[0]; err != nil {
		t.Errorf("headers that fit: %v", err)
	}
	if lost := w.of(broker.Lost); len(lost) > 0 {
		t.Errorf("the connection was lost: %v", lost[0].Err)
	}
}

func TestAWrongPasswordIsDeniedAndNotShown(t *testing.T) {
	t.Parallel()
	r := calmNode(t)
	b := openURL(t, "amqp://guest:s3cret@"+r.Addr()+"/", broker.Options{})
	err := b.Publish(within(t), messages(t, "any", 1)...)[0]
	wantReason(t, err, broker.Denied)
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the password is in the error: %v", err)
	}
}

func TestAPublishWithoutAServerIsRefusedAsUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := openURL(t, "amqp://guest:guest@"+l.Addr().String()+"/", broker.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	wantReason(t, b.Publish(ctx, messages(t, "any", 1)...)[0], broker.Unreachable) // it accepts and says nothing
	l.Close()
	for _, err := range b.Publish(within(t), messages(t, "any", 3)...) {
		wantReason(t, err, broker.Unreachable)
	}
}

// A full queue that rejects answers with a negative confirm, and so does a
// queue that failed: only the first excludes storage.
func TestANegativeConfirmIsUnsure(t *testing.T) {
	t.Parallel()
	conn, err := amqp.Dial(calmNode(t).URL(""))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	queue := queueName()
	if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-max-length": int32(1), "x-overflow": "reject-publish"}); err != nil {
		t.Fatal(err)
	}
	b := openURL(t, calmNode(t).URL(""), broker.Options{})
	nacked := 0
	for _, m := range messages(t, queue, 10) {
		if err := b.Publish(within(t), m)[0]; err != nil {
			nacked++
			if !errors.Is(err, broker.ErrUnsure) || errors.Is(err, broker.ErrRefused) || !says(err, "negatively") {
				t.Errorf("negative confirm: %v; want unsure", err)
			}
		}
	}
	if nacked < 8 {
		t.Errorf("%d of 10 were confirmed negatively by a queue of length 1", nacked)
	}
}
