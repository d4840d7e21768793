package server

import (
	"context"
	"fmt"
)

// QueuesUnder is what the server itself knows of all queues of the virtual host /
// whose names begin with prefix, added up. Messages that a quorum queue is handing
// over to a dead letter target count as ready. As with Queue, each is asked itself.
func (r *Rabbit) QueuesUnder(ctx context.Context, prefix string) (QueueView, error) {
	const question = `Views = [case amqqueue:get_type(Q) of ` +
		`rabbit_quorum_queue -> {ok, View, _} = ra:consistent_query(amqqueue:get_pid(Q), fun(S) -> ` +
		`Out = rabbit_fifo:query_messages_checked_out(S), ` +
		`{rabbit_fifo:query_messages_total(S) - Out, Out, rabbit_fifo:query_consumer_count(S)} end), View; ` +
		`_ -> [{_, Ready}, {_, Unacked}, {_, Consumers}] = rabbit_amqqueue:info(Q, [messages_ready, messages_unacknowledged, consumers]), ` +
		`{Ready, Unacked, Consumers} end || Q <- %s], ` +
		`{length(Views), lists:sum([R || {R, _, _} <- Views]), lists:sum([U || {_, U, _} <- Views]), lists:sum([C || {_, _, C} <- Views])}`
	answer, err := r.Eval(ctx, fmt.Sprintf(question, queuesUnder(prefix)))
	if err != nil {
		return QueueView{}, fmt.Errorf("look at the queues %q...: %w", prefix, err)
	}
	var v QueueView
	var found int
	if _, err := fmt.Sscanf(answer, "{%d,%d,%d,%d}", &found, &v.Ready, &v.Unacked, &v.Consumers); err != nil {
		return QueueView{}, fmt.Errorf("look at the queues %q...: the server says %s", prefix, answer)
	}
	v.Exists = found > 0
	return v, nil
}

// DeleteQueuesUnder deletes all queues of the virtual host / whose names begin with
// prefix, with all that is in them.
func (r *Rabbit) DeleteQueuesUnder(ctx context.Context, prefix string) error {
	order := `[{ok, _} = rabbit_amqqueue:delete(Q, false, false, <<"acklab">>) || Q <- ` + queuesUnder(prefix) + `], ok`
	if _, err := r.Eval(ctx, order); err != nil {
		return fmt.Errorf("delete the queues %q...: %w", prefix, err)
	}
	return nil
}

// queuesUnder is an Erlang expression for those queues.
func queuesUnder(prefix string) string {
	return fmt.Sprintf(`[Found || Found <- rabbit_amqqueue:list(<<"/">>), `+
		`binary:longest_common_prefix([element(4, amqqueue:get_name(Found)), %s]) =:= %d]`, erlangBinary(prefix), len(prefix))
}
