package redisbroker

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"

	"acklab/broker/redisclient"
)

const (
	// maxRound and maxRoundBytes bound what goes out together.
	maxRound      = 256
	maxRoundBytes = 1 << 20
	// maxLanes is two, so that one takes the next messages from their publishers while
	// Redis has those of the other: a quarter more than with one, and as much as with
	// three.
	maxLanes = 2
)

// outbox holds the batches that no lane has yet.
type outbox struct {
	mu      sync.Mutex
	waiting []*batch
	lanes   []*lane
}

// lane sends rounds of messages over one connection, one round at a time. What
// comes while all of them wait for Redis goes out together in the next round.
type lane struct {
	b      *Broker
	client *redis.Client
	conn   *redis.Conn
	cut    context.CancelFunc // breaks the connection
	bell   chan struct{}      // rung when it idles and is to look

	// The outbox's lock guards what follows.
	idle bool
	here int // publishers that wait for the round
}

// post gives a batch to a lane: to the first that idles, so that who publishes
// alone uses one connection. It reports false when the broker is closed.
func (b *Broker) post(p *batch) bool {
	o := &b.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.lanes {
		if l.idle && !b.isClosed() {
			l.idle = false
			o.waiting = append(o.waiting, p)
			l.bell <- struct{}{} // has room: it was rung once since it idles
			return true
		}
	}
	if len(o.lanes) < maxLanes {
		l := &lane{b: b, bell: make(chan struct{}, 1)}
		if !b.start(l.run) {
			return false
		}
		o.lanes = append(o.lanes, l)
	}
	if b.isClosed() {
		return false
	}
	o.waiting = append(o.waiting, p)
	return true
}

// leave says that the publisher of a batch does not wait any more. When the
// last one leaves a round, its connection is of no use: Redis does not answer.
func (b *Broker) leave(p *batch) {
	o := &b.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	if l := p.round; l != nil {
		p.round = nil
		if l.here--; l.here == 0 {
			l.cut()
		}
	}
}

// run sends until the broker is closed.
func (l *lane) run() {
	l.open()
	defer func() {
		l.cut()
		l.client.Close()
	}()
	var p *batch // of which a part is still to be sent
	for {
		runtime.Gosched() // who is about to post shares the round
		r := l.nextRound(p)
		if r == nil {
			select {
			case <-l.bell:
				continue
			case <-l.b.closed:
				return
			}
		}
		p = r.rest
		if err := l.send(r); err != nil {
			l.cut()
			l.client.Close()
			l.open()
		}
	}
}

func (l *lane) open() {
	var life context.Context
	life, l.cut = context.WithCancel(l.b.life)
	l.client = l.b.address.Client(life)
	l.conn = l.client.Conn()
}

// round is what goes out together: parcels of messages for one key each.
type round struct {
	batches []*batch
	parcels []parcel
	count   int
	bytes   int
	rest    *batch // the last batch, when not all of it is in the round
}

// parcel is one command: the messages for one key that follow each other.
type parcel struct {
	key   string
	due   bool
	words []any
	who   []sender
	cmd   redis.Cmder
}

// sender is message i of a batch.
type sender struct {
	p *batch
	i int
}

// nextRound takes what waits, the rest of a batch first; nil: there is nothing, and
// the lane idles.
func (l *lane) nextRound(p *batch) *round {
	o := &l.b.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	r := &round{}
	for r.rest == nil && (p != nil || len(o.waiting) > 0) {
		if p == nil {
			p = o.waiting[0]
			o.waiting[0] = nil
			o.waiting = o.waiting[1:]
		}
		if r.add(p) {
			p.round = l
			l.here++
		}
		p = nil
	}
	if l.idle = len(r.batches) == 0; l.idle {
		return nil
	}
	return r
}

// add takes the messages of a batch as far as there is room, and tells whether it
// has taken any: else its publisher, who may have left, does not wait for the round.
func (r *round) add(p *batch) (some bool) {
	before := r.count
	for ; p.sent < len(p.letters); p.sent++ {
		if r.count >= maxRound || r.bytes >= maxRoundBytes {
			r.rest = p
			break
		}
		if p.ctx.Err() != nil || !p.Take(p.sent) {
			continue // its publisher gives up what is left
		}
		r.put(p.letters[p.sent], sender{p, p.sent})
		p.letters[p.sent] = letter{}
	}
	if r.count == before {
		return false
	}
	r.batches = append(r.batches, p)
	return true
}

func (r *round) put(l letter, who sender) {
	r.count++
	r.bytes += len(l.payload)
	var last *parcel
	if n := len(r.parcels); n > 0 && r.parcels[n-1].key == l.key {
		last = &r.parcels[n-1]
	} else {
		r.parcels = append(r.parcels, parcel{key: l.key, due: l.due > 0})
		last = &r.parcels[n]
		if last.due {
			last.words = append(last.words, "zadd", l.key)
		} else {
			last.words = append(last.words, "lpush", l.key)
		}
	}
	if last.due {
		last.words = append(last.words, l.due)
	}
	last.words = append(last.words, l.payload)
	last.who = append(last.who, who)
}

// send sends the round and notes the fate of each message. A message is stored
// with all others of its command or not at all. The error is that of a
// connection that cannot be used any more.
func (l *lane) send(r *round) error {
	ctx := context.Background()
	pipe := l.conn.Pipeline()
	var told []string
	for i := range r.parcels {
		p := &r.parcels[i]
		p.cmd = redis.NewIntCmd(ctx, p.words...)
		_ = pipe.Process(ctx, p.cmd)
		if queue := p.who[0].p.Msgs[p.who[0].i].Queue; p.due && !slices.Contains(told, queue) {
			told = append(told, queue)
		}
	}
	for _, queue := range told {
		pipe.Publish(ctx, dueChannel(queue), "")
	}
	var err error
	if len(r.parcels) > 0 {
		var cmds []redis.Cmder
		if cmds, err = pipe.Exec(ctx); err != nil {
			redisclient.Spread(cmds, err)
		}
	}
	for i := range r.parcels {
		p := &r.parcels[i]
		for _, who := range p.who {
			who.p.Decide(who.i, l.b.fateOf(who.p.Msgs[who.i], p.cmd.Err()))
		}
	}
	l.finish(r)
	var reply redis.Error
	if errors.As(err, &reply) {
		l.conn.Close() // go-redis uses none again that has said READONLY
		l.conn = l.client.Conn()
		return nil
	}
	return err
}

// finish lets the publishers of the round go.
func (l *lane) finish(r *round) {
	o := &l.b.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range r.batches {
		if p.round == l {
			p.round = nil
		}
	}
	l.here = 0
}
