package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
)

// window is how many messages are unconfirmed at the server at most. Measured
// (facts of the project): 100 is worth 8 to 18 times one by one, more adds
// nothing.
const window = 128

// letter identifies a message on its way: a return names only these.
type letter struct{ id, queue string }

// pubSession is one connection that publishes, with one channel in confirm
// mode unless the URL says confirms=false, and the bookkeeping of what is on
// its way there.
//
// The order of things: the library's reader handles a return before the
// confirm that follows it. returns has room for a whole window, and a post
// keeps its place in the window until it is concluded, so the reader never
// waits for room there and never drops a return; and when a post is confirmed
// its return, if any, is already in the buffer. A letter is on its way once
// at a time, so a return belongs to one post.
type pubSession struct {
	b      *Broker
	number int
	link   *link
	ch     *amqp.Channel

	confirms bool

	out     chan *post    // to the writer
	places  chan struct{} // one token for each post on its way
	returns chan amqp.Return
	gone    chan struct{} // closed when channel or connection has ended
	running sync.WaitGroup
	calls   rpc // synchronous calls on ch
	delays  *delays

	mu       sync.Mutex
	onWay    map[letter]*post
	returned map[letter]amqp.Return
	cause    error // why the session ended
	lostWith int   // posts on their way when it ended
}

func newPubSession(b *Broker, number int, confirms bool) (*pubSession, error) {
	s := &pubSession{
		b: b, number: number, confirms: confirms,
		out: make(chan *post, window), places: make(chan struct{}, window),
		returns: make(chan amqp.Return, window), gone: make(chan struct{}),
		onWay: map[letter]*post{}, returned: map[letter]amqp.Return{}, calls: newRPC(),
	}
	s.delays = newDelays(s)
	l, err := b.connect(b.life, "publisher", s.blocked)
	if err != nil {
		return nil, err
	}
	s.link = l
	stop := context.AfterFunc(b.life, l.abandon)
	defer stop()
	if s.ch, err = l.conn.Channel(); err == nil && confirms {
		err = s.ch.Confirm(false)
	}
	if err != nil {
		l.abandon()
		return nil, fmt.Errorf("open a channel to publish on %s: %w", b.addr.shown, err)
	}
	s.ch.NotifyReturn(s.returns)
	closes := s.ch.NotifyClose(make(chan *amqp.Error, 1))
	b.options.Tell(broker.Event{Kind: broker.Connected})
	b.log.Debug("publisher connected", "broker", b.addr.shown, "session", number)
	s.running.Go(func() { s.watch(closes) })
	s.running.Go(s.write)
	if !confirms {
		s.running.Go(s.tellReturns)
	}
	if !b.addr.quorum {
		s.running.Go(s.delays.keepTidy)
	}
	return s, nil
}

// watch follows the session to its end.
func (s *pubSession) watch(closes chan *amqp.Error) {
	e := <-closes
	asked := e == nil
	s.mu.Lock()
	s.cause, s.lostWith = errHungUp, len(s.onWay)
	if !asked {
		s.cause = e
	}
	s.mu.Unlock()
	close(s.gone)
	if asked || s.b.life.Err() != nil {
		return
	}
	s.link.abandon() // a channel error ends the connection too: one way to begin anew
	s.b.options.Tell(broker.Event{Kind: broker.Lost, Err: e})
	s.b.log.Warn("publisher lost its connection", "broker", s.b.addr.shown, "session", s.number, "error", e)
}

func (s *pubSession) stands() bool {
	select {
	case <-s.gone:
		return false
	default:
		return true
	}
}

// close tidies up, and without confirms sees what was written through.
func (s *pubSession) close(ctx context.Context) {
	s.delays.close(ctx)
	if !s.confirms && s.stands() {
		bounded, cancel := context.WithTimeout(ctx, closeLimit)
		_ = s.processed(bounded) // what the end of the connection cuts off is lost, as the URL allows
		cancel()
	}
	s.link.close(ctx)
	<-s.gone
}

// processed returns when the server has handed every publish that was written
// to its queue: its channel process takes one method after the other.
func (s *pubSession) processed(ctx context.Context) error {
	return s.calls.do(ctx, func() error { return s.ch.Qos(1, 0, false) })
}

// tellReturns reports what comes back while nobody waits for it.
func (s *pubSession) tellReturns() {
	for r := range s.returns { // the library closes it
		err := fmt.Errorf("publish %q to queue %q: returned: %d %s", r.MessageId, r.RoutingKey, r.ReplyCode, r.ReplyText)
		s.b.options.Tell(broker.Event{Kind: broker.Returned, Queue: r.RoutingKey, MessageID: r.MessageId, Err: err})
		s.b.log.Warn("a publish came back", "broker", s.b.addr.shown, "session", s.number, "error", err)
	}
}

func (s *pubSession) blocked(reason string) {
	kind, err := broker.Unblocked, error(nil)
	if reason != "" {
		kind, err = broker.Blocked, fmt.Errorf("the server takes no publishes: %s", reason)
	}
	s.b.log.Warn("publisher "+string(kind), "broker", s.b.addr.shown, "reason", reason)
	s.b.options.Tell(broker.Event{Kind: kind, Err: err})
}

// notSent is the refusal of a post whose caller stopped waiting before it was
// written.
func (s *pubSession) notSent(p *post, cause error) error {
	open, why := s.link.taking()
	select {
	case <-open:
		return cancelled(p, cause)
	default:
		return &broker.Refusal{Reason: broker.Full, Err: fmt.Errorf("%v: not sent, the server takes no publishes (%s): %w", p, why, cause)}
	}
}

// write is the only goroutine that publishes on the channel. A write can hang
// in the socket while the server does not read; callers do not wait for it.
func (s *pubSession) write() {
	for {
		select {
		case <-s.gone:
			return
		case p := <-s.out:
			if s.admit(p) {
				s.put(p)
			} else {
				s.spare(p)
			}
		}
	}
}

// admit waits until the server takes publishes, the same letter is not on its
// way, and there is a place in the window. False: the post was withdrawn or
// the session has ended.
func (s *pubSession) admit(p *post) bool {
	for {
		open, _ := s.link.taking()
		var twin chan struct{}
		s.mu.Lock()
		if other := s.onWay[p.letter()]; other != nil {
			twin = other.done
		}
		s.mu.Unlock()
		select {
		case <-open:
		case <-p.withdrawn:
			return false
		case <-s.gone:
			return false
		}
		if twin != nil {
			select {
			case <-twin:
				continue
			case <-p.withdrawn:
				return false
			case <-s.gone:
				return false
			}
		}
		select {
		case s.places <- struct{}{}:
			return true
		case <-p.withdrawn:
			return false
		case <-s.gone:
			return false
		}
	}
}

func (p *post) letter() letter { return letter{p.out.MessageId, p.queue} }

// spare is the end of a post that will not be written on this session.
func (s *pubSession) spare(p *post) {
	if p.step != none {
		s.delays.leave(p)
	}
}

// put writes one admitted post. Without confirms that is all that can be known
// of it.
func (s *pubSession) put(p *post) {
	if !p.state.CompareAndSwap(waiting, written) {
		<-s.places
		s.spare(p)
		return
	}
	s.mu.Lock()
	s.onWay[p.letter()] = p
	s.mu.Unlock()
	confirm, err := s.ch.PublishWithDeferredConfirm("", p.queue, true, false, p.out)
	if err != nil {
		s.conclude(p, s.writeError(p, err))
		return
	}
	if confirm == nil {
		s.conclude(p, nil)
		return
	}
	s.running.Go(func() {
		<-confirm.Done() // also when the channel ends: then it is not acked
		s.conclude(p, s.verdict(p, confirm.Acked()))
	})
}

// writeError judges a failed write. amqp.ErrClosed comes from a check before
// one of the message's frames was handed to the socket, so the server has not
// got them all; after any other error it may have.
func (s *pubSession) writeError(p *post, err error) error {
	if errors.Is(err, amqp.ErrClosed) {
		return &broker.Refusal{Reason: broker.Unreachable, Err: fmt.Errorf("%v: not sent: %w", p, err)}
	}
	return unsure(p.String(), err)
}

// verdict is the fate of a post whose confirm has come or will not come.
func (s *pubSession) verdict(p *post, acked bool) error {
	if r, ok := s.takeReturn(p); ok {
		err := fmt.Errorf("%v: returned: %d %s", p, r.ReplyCode, r.ReplyText)
		refused := &broker.Refusal{Reason: broker.Unroutable, Err: err}
		if !p.vanished(refused) { // else it gets another chance
			s.b.options.Tell(broker.Event{Kind: broker.Returned, Queue: p.to, MessageID: p.out.MessageId, Err: err})
		}
		return refused
	}
	switch {
	case acked:
		return nil
	case s.ch.IsClosed():
		return s.lost(p)
	}
	return unsure(fmt.Sprintf("%v: the server confirmed it negatively (a full queue that rejects, or a queue that failed)", p), nil)
}

// takeReturn finds the return of the post, if there was one.
func (s *pubSession) takeReturn(p *post) (amqp.Return, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		select {
		case r, ok := <-s.returns:
			if ok {
				s.returned[letter{r.MessageId, r.RoutingKey}] = r
				continue
			}
		default:
		}
		break
	}
	r, ok := s.returned[p.letter()]
	delete(s.returned, p.letter())
	return r, ok
}

// lost is the fate of a post that was on its way when the session ended.
// Usually nobody knows. The server's reason excludes storage where it names
// this post: it is above the server's size limit, or it was the only one on
// its way when permission was refused.
func (s *pubSession) lost(p *post) error {
	<-s.gone
	s.mu.Lock()
	cause, alone := s.cause, s.lostWith == 1
	s.mu.Unlock()
	var size, limit int
	if e, ok := errors.AsType[*amqp.Error](cause); ok && e.Code == amqp.PreconditionFailed {
		if n, _ := fmt.Sscanf(e.Reason, "PRECONDITION_FAILED - message size %d is larger than configured max size %d", &size, &limit); n == 2 && len(p.out.Body) > limit {
			return &broker.Refusal{Reason: broker.TooLarge, Err: fmt.Errorf("%v: %w", p, cause)}
		}
	}
	if alone && code(cause) == amqp.AccessRefused {
		return &broker.Refusal{Reason: broker.Denied, Err: fmt.Errorf("%v: %w", p, cause)}
	}
	if s.b.life.Err() != nil {
		cause = broker.ErrClosed
	}
	return unsure(fmt.Sprintf("%v: the session ended before its confirm", p), cause)
}

func (s *pubSession) conclude(p *post, fate error) {
	s.mu.Lock()
	delete(s.onWay, p.letter())
	s.mu.Unlock()
	<-s.places
	s.spare(p) // with a delay: no longer on its way
	p.err = fate
	close(p.done)
}
