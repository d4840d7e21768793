package server

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestAFamilyOfQueuesIsSeenAndDeletedAsOne(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := startRabbit(t, keep(t), RabbitOptions{})
	_, ch := channel(t, r)
	for name, args := range map[string]amqp.Table{"a": nil, "a.x": nil, "a.y": {"x-queue-type": "quorum"}, "ab": nil} {
		_, err := ch.QueueDeclare(name, true, false, false, false, args)
		do(t, "declare", err)
		publish(t, ch, name, 3)
	}
	if v, err := r.QueuesUnder(ctx, "a."); err != nil || v != (QueueView{Exists: true, Ready: 6}) {
		t.Errorf("%+v, %v; want 6 ready", v, err)
	}
	do(t, "delete", r.DeleteQueuesUnder(ctx, "a."))
	if v, err := r.QueuesUnder(ctx, "a."); err != nil || v != (QueueView{}) {
		t.Errorf("after the deletion: %+v, %v", v, err)
	}
	for _, name := range []string{"a", "ab"} {
		if v, err := r.Queue(ctx, name); err != nil || v.Ready != 3 {
			t.Errorf("queue %s: %+v, %v; want 3 ready", name, v, err)
		}
	}
}
