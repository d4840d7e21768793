package rabbitbroker

import (
	"fmt"
	"testing"

	"acklab/broker"
)

// The events of the publisher name no session of a consumer.
func TestALostPublisherIsNoSessionOfTheConsumer(t *testing.T) {
	t.Parallel()
	w := newWitness()
	queue := queueName()
	b, sent := stocked(t, calmNode(t).URL(""), queue, 1, broker.Options{Observe: w.observe})
	c := consume(t, b, 1, queue)
	d := receive(t, c, 1)[0]
	b.publisher.session.link.abandon()
	w.await(t, broker.Lost, 1)
	publishAll(t, b, messages(t, queue, 1)...)
	for _, e := range w.await(t, broker.Lost, 1) {
		if e.Session != 0 || e.Err == nil {
			t.Errorf("lost: %+v; want no session", e)
		}
	}
	var sessions []int
	for _, e := range w.await(t, broker.Connected, 3) {
		sessions = append(sessions, e.Session)
	}
	if fmt.Sprint(sessions) != "[0 1 0]" {
		t.Errorf("connected: sessions %v; want the publisher's, the consumer's first, the publisher's", sessions)
	}
	if err := d.Ack(within(t)); err != nil || d.Message.ID != sent[0].ID {
		t.Errorf("ack of message %s: %v", d.Message.ID, err)
	}
	if err := c.Flush(within(t)); err != nil {
		t.Error(err)
	}
}
