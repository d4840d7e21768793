package rabbitbroker

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
	"acklab/task"
)

// delivered is what the server would deliver of a publish.
func delivered(p amqp.Publishing) *amqp.Delivery {
	return &amqp.Delivery{
		Headers: p.Headers, ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, DeliveryMode: p.DeliveryMode,
		Priority: p.Priority, CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo, MessageId: p.MessageId,
		Timestamp: p.Timestamp, Type: p.Type, AppId: p.AppId, Body: p.Body,
	}
}

func inHand(t *testing.T, raw *amqp.Delivery) (*hold, *broker.Delivery) {
	t.Helper()
	d := &broker.Delivery{Queue: "q"}
	d.Message, d.Malformed = decode(raw, "q")
	return &hold{kept: keep(raw, d.Malformed)}, d
}

func TestADeadLetterIsTheOriginalAndTheReason(t *testing.T) {
	t.Parallel()
	m, err := task.New("send_email", task.Options{Queue: "q", Priority: 3, ReplyTo: "answers", Extra: map[string]any{"tenant": "a"}}, "me@example.org")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := publishing(m)
	if err != nil {
		t.Fatal(err)
	}
	stamped := plain
	stamped.Timestamp, stamped.AppId, stamped.Type = time.Unix(1700000000, 0), "shop", "email"
	foreign := amqp.Publishing{Headers: amqp.Table{"x-delivery-count": int64(2), "a": "b"}, ContentType: "text/plain", DeliveryMode: 2, Body: []byte("\x00 no task")}
	for name, sent := range map[string]amqp.Publishing{"plain": plain, "with a stamp": stamped, "foreign": foreign} {
		h, d := inHand(t, delivered(sent))
		got, err := h.deadLetter(d, "because", time.Unix(0, 0))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := amqp.Table{reasonHeader: "because", queueHeader: "q", historyHeader: []any{
			amqp.Table{"time": "1970-01-01T00:00:00Z", "queue": "q", "reason": "because"},
		}}
		for k, v := range sent.Headers {
			if k != "x-delivery-count" {
				want[k] = v
			}
		}
		if !reflect.DeepEqual(got.Headers, want) {
			t.Errorf("%s: headers %v; want %v", name, got.Headers, want)
		}
		if !bytes.Equal(got.Body, sent.Body) || got.MessageId != d.Message.ID || got.MessageId == "" || got.DeliveryMode != 2 {
			t.Errorf("%s: parked %+v", name, got)
		}
		got.Headers, got.Body, got.MessageId = sent.Headers, sent.Body, sent.MessageId
		if !reflect.DeepEqual(got, sent) {
			t.Errorf("%s: properties %+v; want %+v", name, got, sent)
		}
	}
}
