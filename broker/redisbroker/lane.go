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
	life   context.Context    // of the connection
	cut    context.CancelFunc // ends it
	bell   chan struct{}      // rung when it idles and is to look

	round round // the one under way; its memory is that of the next

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
		l.bell <- struct{}{}
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
	defer l.close()
	for {
		select {
		case <-l.bell:
		case <-l.b.closed:
			return
		}
		var rest *batch
		for more := true; more; {
			runtime.Gosched() // who is about to post shares the round
			r := l.nextRound(rest)
			if r == nil {
				break
			}
			rest = r.rest
			err := l.send(r)
			// It idles before the publishers are told: who publishes alone finds it
			// ready the next time.
			more = l.finish(r)
			l.mend(err)
			r.tell(l.b)
			r.clear()
		}
	}
}

func (l *lane) open() {
	l.life, l.cut = context.WithCancel(l.b.life)
	l.client = l.b.address.Client(l.life)
	l.conn = l.client.Conn()
}

func (l *lane) close() {
	l.cut()
	l.client.Close()
}

// mend gives the next round a connection that can be used, after one that ended in
// err or was cut in the moment in which Redis answered.
func (l *lane) mend(err error) {
	cut := l.life.Err() != nil
	if err == nil && !cut {
		return
	}
	var reply redis.Error
	if errors.As(err, &reply) && !cut {
		l.conn.Close() // go-redis uses none again that has said READONLY
		l.conn = l.client.Conn()
		return
	}
	l.close()
	l.open()
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
	r := &l.round
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
	n := len(r.parcels)
	if n == 0 || r.parcels[n-1].key != l.key {
		n++
		r.parcels = slices.Grow(r.parcels, 1)[:n] // with the memory of the parcel that was here
		r.parcels[n-1].begin(l)
	}
	last := &r.parcels[n-1]
	if last.due {
		last.words = append(last.words, l.due)
	}
	last.words = append(last.words, l.payload)
	last.who = append(last.who, who)
}

// clear forgets what was sent.
func (r *round) clear() {
	clear(r.batches)
	for i, p := range r.parcels {
		clear(p.words)
		clear(p.who)
		r.parcels[i] = parcel{words: p.words[:0], who: p.who[:0]}
	}
	*r = round{batches: r.batches[:0], parcels: r.parcels[:0]}
}

// begin makes it a parcel of messages for the key of this one, of which it has none yet.
func (p *parcel) begin(l letter) {
	p.key, p.due = l.key, l.due > 0
	command := "lpush"
	if p.due {
		command = "zadd"
	}
	p.words = append(p.words, command, l.key)
}

// send sends the round and waits for the answers. The error is that of the
// connection, or the first that Redis has given.
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
	cmds, err := pipe.Exec(ctx)
	if err != nil {
		redisclient.Spread(cmds, err)
	}
	return err
}

// finish lets the publishers of the round go. It reports false when there is
// nothing more to send, and the lane idles.
func (l *lane) finish(r *round) (more bool) {
	o := &l.b.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range r.batches {
		if p.round == l {
			p.round = nil
		}
	}
	l.here = 0
	more = r.rest != nil || len(o.waiting) > 0
	l.idle = !more
	return more
}

// tell notes the fate of each message of a round that was sent. A message is
// stored with all others of its command or not at all.
func (r *round) tell(b *Broker) {
	for _, p := range r.parcels {
		for _, word := range p.words {
			if payload, ok := word.([]byte); ok {
				paper.giveBack(payload)
			}
		}
		for _, who := range p.who {
			who.p.Decide(who.i, b.fateOf(who.p.Msgs[who.i], p.cmd.Err()))
		}
	}
}
