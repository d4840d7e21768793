package server

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ourName is how this package's own connections are called on the servers, so that
// a probe which has just ended is not taken for a client.
const ourName = "acklab-probe"

// CloseConnections implements Server. The clients are told 320 CONNECTION_FORCED
// with the reason. It returns when the server's side of every one has ended, and
// fails when some have not within 5 seconds. Connections that are closing already,
// and those of this package, do not count.
func (r *Rabbit) CloseConnections(ctx context.Context, reason string) (int, error) {
	const order = `Ours = {<<"connection_name">>, longstr, %s}, Reason = %s, ` +
		`Open = fun(Pid) -> case catch rabbit_networking:connection_info(Pid, [state, client_properties]) of ` +
		`[{state, State}, {client_properties, Properties}] -> ` +
		`not lists:member(State, [closing, closed]) andalso not lists:member(Ours, Properties); ` +
		`_ -> false end end, ` +
		`Refs = [begin Ref = erlang:monitor(process, Pid), catch rabbit_networking:close_connection(Pid, Reason), Ref end ` +
		`|| Pid <- rabbit_networking:connections(), Open(Pid)], ` +
		`Limit = erlang:monotonic_time(millisecond) + 5000, ` +
		`Gone = [Ref || Ref <- Refs, receive {'DOWN', Ref, process, _, _} -> true ` +
		`after max(0, Limit - erlang:monotonic_time(millisecond)) -> false end], ` +
		`{length(Refs), length(Gone)}`
	answer, err := r.Eval(ctx, fmt.Sprintf(order, erlangBinary(ourName), erlangString(reason)))
	if err != nil {
		return 0, r.failed("close connections of", err)
	}
	var asked, gone int
	if _, err := fmt.Sscanf(answer, "{%d,%d}", &asked, &gone); err != nil {
		return 0, r.failed("close connections of", fmt.Errorf("the server says %s", answer))
	}
	if gone < asked {
		return gone, r.failed("close connections of", fmt.Errorf("%d of %d still open after 5 s", asked-gone, asked))
	}
	return gone, nil
}

// CloseConnections implements Server, with CLIENT KILL for the types normal and
// pubsub. Replicas stay, and connections of this package do not count.
func (r *Redis) CloseConnections(ctx context.Context, _ string) (int, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	c := r.clientUntil(ctx)
	defer c.Close()
	var list *redis.StringCmd
	var killed [2]*redis.IntCmd
	_, err := c.TxPipelined(ctx, func(tx redis.Pipeliner) error { // as one act: nobody comes back in between
		list = tx.ClientList(ctx)
		for i, kind := range []string{"normal", "pubsub"} {
			killed[i] = tx.ClientKillByFilter(ctx, "TYPE", kind, "SKIPME", "yes")
		}
		return nil
	})
	if err != nil {
		return 0, r.failed("close connections of", because(ctx, err))
	}
	ours := strings.Count(list.Val(), " name="+ourName+" ") - 1 // this one was spared
	return int(killed[0].Val()+killed[1].Val()) - ours, nil
}
