package redisbroker

import (
	"context"
	"fmt"
	"time"

	"acklab/broker"
	"acklab/task"
)

// Depth counts the queue's lists and sets at one moment. Unacked are the
// entries of Redis' one hash of them that lead back to this queue, which takes
// a look at each. A delayed message is Delayed until its time has come; then it
// is Ready, though only a consumer moves it to its list. Consumers is nil:
// nothing in Redis tells. Oldest is by the moment of publish that the messages
// which are next carry (task.Message.Sent). A queue that does not exist holds
// nothing.
func (b *Broker) Depth(ctx context.Context, queue string) (broker.Depth, error) {
	answer, err := depthScript.Run(ctx, b.client, queueKeys(queue), jsonName(queue)).Slice()
	if err == nil && len(answer) != 4+len(steps) {
		err = fmt.Errorf("redis answered with %d parts", len(answer))
	}
	if err != nil {
		return broker.Depth{}, b.failed(fmt.Sprintf("depth of queue %q", queue), err)
	}
	number := func(at int) *int {
		n, _ := answer[at].(int64)
		i := int(n)
		return &i
	}
	d := broker.Depth{Ready: number(0), Unacked: number(1), Delayed: number(2), Dead: number(3)}
	for _, next := range answer[4:] {
		text, _ := next.(string)
		if age := waited(text); age != nil && (d.Oldest == nil || *age > *d.Oldest) {
			d.Oldest = age
		}
	}
	return d, nil
}

// waited is how long ago the message was published; nil: it does not say.
func waited(text string) *time.Duration {
	if text == "" {
		return nil
	}
	m, _ := task.UnmarshalEnvelope([]byte(text))
	sent := m.Sent()
	if sent.IsZero() {
		return nil
	}
	age := max(time.Since(sent), 0)
	return &age
}
