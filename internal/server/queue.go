package server

import (
	"context"
	"fmt"
)

// QueueView is what the server itself knows of a queue, as of the moment of asking.
type QueueView struct {
	// Exists is false when there is no such queue; the rest is 0 then.
	Exists bool
	// Ready messages wait for a consumer.
	Ready int
	// Unacked messages were delivered and are not settled.
	Unacked int
	// Consumers are subscribed, on any connection that the server has not yet found
	// dead.
	Consumers int
}

// Queue asks the queue itself (not the statistics, which lag by seconds). A classic
// queue answers from its own process. A quorum queue answers through its leader,
// after a majority agreed on who that is, so everything confirmed before counts.
// The queue is in the virtual host /.
func (r *Rabbit) Queue(ctx context.Context, name string) (QueueView, error) {
	const question = `case rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, %s)) of ` +
		`{error, not_found} -> {0, 0, 0, 0}; ` +
		`{ok, Q} -> case amqqueue:get_type(Q) of ` +
		`rabbit_quorum_queue -> {ok, View, _} = ra:consistent_query(amqqueue:get_pid(Q), fun(S) -> ` +
		`{1, rabbit_fifo:query_messages_ready(S), rabbit_fifo:query_messages_checked_out(S), rabbit_fifo:query_consumer_count(S)} end), View; ` +
		`_ -> [{_, Ready}, {_, Unacked}, {_, Consumers}] = rabbit_amqqueue:info(Q, [messages_ready, messages_unacknowledged, consumers]), ` +
		`{1, Ready, Unacked, Consumers} end end`
	answer, err := r.Eval(ctx, fmt.Sprintf(question, erlangBinary(name)))
	if err != nil {
		return QueueView{}, fmt.Errorf("look at queue %q: %w", name, err)
	}
	var v QueueView
	var exists int
	if _, err := fmt.Sscanf(answer, "{%d,%d,%d,%d}", &exists, &v.Ready, &v.Unacked, &v.Consumers); err != nil {
		return QueueView{}, fmt.Errorf("look at queue %q: the server says %s", name, answer)
	}
	v.Exists = exists == 1
	return v, nil
}

// DeleteQueue deletes a queue of the virtual host / with all that is in it. A queue
// that does not exist is no error.
func (r *Rabbit) DeleteQueue(ctx context.Context, name string) error {
	const order = `case rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, %s)) of ` +
		`{error, not_found} -> {ok, 0}; ` +
		`{ok, Q} -> {ok, _} = rabbit_amqqueue:delete(Q, false, false, <<"acklab">>) end`
	if _, err := r.Eval(ctx, fmt.Sprintf(order, erlangBinary(name))); err != nil {
		return fmt.Errorf("delete queue %q: %w", name, err)
	}
	return nil
}
