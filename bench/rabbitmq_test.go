package bench

import (
	"context"
	"reflect"
	"testing"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

// inFlight is how many publishes are unconfirmed, and how many deliveries
// unacknowledged, at once.
const inFlight = 100

// BenchmarkRatioRabbitMQ: confirmed publishes, then a worker with late
// acknowledgement whose tasks do nothing, against amqp091-go alone.
func BenchmarkRatioRabbitMQ(b *testing.B) {
	r := servertest.Rabbit(b, server.RabbitOptions{})
	bare := newBareRabbit(b, r, "bare")
	ours := newAcklab(b, acklab{server: r, queue: "ours", books: true, slots: 10, ahead: inFlight / 10})
	silent := newAcklab(b, acklab{server: r, queue: "silent", slots: 10, ahead: inFlight / 10})
	published, worked := make([]laps, 3), make([]laps, 3)
	for round := 0; b.Loop(); round++ {
		inTurns(round, []func() lap{bare.publish, func() lap { return ours.bursts(1) }, func() lap { return silent.bursts(1) }}, published)
		inTurns(round, []func() lap{bare.take, ours.work, silent.work}, worked)
	}
	results.add(b, "publish-x-of-bare", row{"RabbitMQ: confirmed publishes, window 100", published[0], published[1], 0.8})
	results.add(b, "tasks-x-of-bare", row{"RabbitMQ: no-op tasks, prefetch 100, 10 slots, late acks", worked[0], worked[1], 0.8})
	results.add(b, "publish-ledger-on-x-of-off", row{"RabbitMQ: the same publishes, ledger off", published[2], published[1], 0})
	results.add(b, "tasks-ledger-on-x-of-off", row{"RabbitMQ: the same tasks, ledger off", worked[2], worked[1], 0})
}

// bareRabbit does with amqp091-go what our producer and worker do, with the
// same bytes on the wire.
type bareRabbit struct {
	b      *testing.B
	server *server.Rabbit
	conn   *amqp.Connection
	queue  string
	body   []byte
}

func newBareRabbit(b *testing.B, s *server.Rabbit, queue string) *bareRabbit {
	conn, err := amqp.Dial(s.URL(""))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	r := &bareRabbit{b: b, server: s, conn: conn, queue: queue}
	ch := r.channel()
	defer ch.Close()
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		b.Fatal(err)
	}
	r.imitate()
	return r
}

// imitate takes over the body of a message of ours, and makes sure that the
// headers are those too.
func (r *bareRabbit) imitate() {
	m, err := task.New("noop", task.Options{Queue: r.queue, Origin: origin})
	if err != nil {
		r.b.Fatal(err)
	}
	w, err := m.Encode()
	if err != nil {
		r.b.Fatal(err)
	}
	if h := headers(m.TaskID); !reflect.DeepEqual(h, amqp.Table(w.Headers)) {
		r.b.Fatalf("the bare client would send %v, acklab sends %v", h, w.Headers)
	}
	r.body = w.Body
}

func headers(id string) amqp.Table {
	return amqp.Table{
		"lang": "go", "task": "noop", "id": id, "root_id": id, "parent_id": nil, "group": nil, "group_index": nil, "shadow": nil,
		"eta": nil, "expires": nil, "retries": int32(0), "timelimit": []any{nil, nil}, "argsrepr": "()", "kwargsrepr": "{}",
		"origin": origin, "ignore_result": false,
	}
}

func (r *bareRabbit) channel() *amqp.Channel {
	ch, err := r.conn.Channel()
	if err != nil {
		r.b.Fatal(err)
	}
	return ch
}

func (r *bareRabbit) publish() lap {
	ctx := context.Background()
	watch := start(r.server)
	ch := r.channel()
	defer ch.Close()
	if err := ch.Confirm(false); err != nil {
		r.b.Fatal(err)
	}
	open := make(chan *amqp.DeferredConfirmation, inFlight)
	for range tasks {
		if len(open) == inFlight {
			r.confirmed(<-open)
		}
		id := uuid.NewString()
		c, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", r.queue, true, false, amqp.Publishing{
			Headers: headers(id), ContentType: "application/json", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent,
			CorrelationId: id, MessageId: uuid.NewString(), Body: r.body,
		})
		if err != nil {
			r.b.Fatal(err)
		}
		open <- c
	}
	for len(open) > 0 {
		r.confirmed(<-open)
	}
	return watch.stop()
}

func (r *bareRabbit) confirmed(c *amqp.DeferredConfirmation) {
	if !c.Wait() {
		r.b.Fatal("a publish was not confirmed")
	}
}

func (r *bareRabbit) take() lap {
	watch := start(r.server)
	ch := r.channel()
	defer ch.Close()
	if err := ch.Qos(inFlight, 0, false); err != nil {
		r.b.Fatal(err)
	}
	deliveries, err := ch.Consume(r.queue, "", false, false, false, false, nil)
	if err != nil {
		r.b.Fatal(err)
	}
	for range tasks {
		d := <-deliveries
		if err := d.Ack(false); err != nil {
			r.b.Fatal(err)
		}
	}
	return watch.stop()
}
