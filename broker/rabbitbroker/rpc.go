package rabbitbroker

import "context"

// rpc lets one synchronous call at a time onto an AMQP channel: replies carry
// no number, so two calls under way could swap theirs
// (rabbitmq/amqp091-go issue 291).
type rpc chan struct{}

func newRPC() rpc { return make(rpc, 1) }

// do runs call, which may hang as long as the server does not answer, and
// returns early with ctx.Err when ctx ends. The call then still holds its turn
// until it ends, at the latest with its connection.
func (r rpc) do(ctx context.Context, call func() error) error {
	select {
	case r <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	go func() {
		err := call()
		<-r
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
