package redisbroker

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker/redisclient"
)

const (
	// maxRound and maxRoundBytes bound what goes out together.
	maxRound      = 256
	maxRoundBytes = 1 << 20
	// gatherWithin is how long a round waits at most for the publishers whom the
	// last one has set free. They need a few microseconds to come with their next
	// message, a round trip takes a hundred. Without this they fall into groups,
	// each of which waits for the others' rounds: half the speed.
	gatherWithin = 25 * time.Microsecond
)

// outbox holds the batches that the lane does not have yet.
type outbox struct {
	mu      sync.Mutex
	waiting []*batch
	size    atomic.Int64 // of waiting
	running bool
	bell    chan struct{} // a token: the lane should look
}

// lane sends rounds of messages over one connection, one round at a time. What
// comes while it waits for Redis goes out together in its next round, so one
// is as fast as many would be.
type lane struct {
	b      *Broker
	client *redis.Client
	cut    context.CancelFunc // breaks the connection
	here   int                // publishers that wait for the round; the outbox's lock guards it
}

// post gives a batch to the lane. It reports false when the broker is closed.
func (b *Broker) post(p *batch) bool {
	o := &b.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running = o.running || b.start(b.runLane)
	if b.isClosed() {
		return false
	}
	o.waiting = append(o.waiting, p)
	o.size.Add(1)
	select {
	case o.bell <- struct{}{}:
	default:
	}
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

// runLane sends until the broker is closed.
func (b *Broker) runLane() {
	l := &lane{b: b}
	l.open()
	defer func() {
		l.cut()
		l.client.Close()
	}()
	var p *batch // of which a part is still to be sent
	freed := 0
	for {
		l.gather(freed)
		r := l.nextRound(p)
		if r == nil {
			freed = 0
			select {
			case <-b.outbox.bell:
				continue
			case <-b.closed:
				return
			}
		}
		p, freed = r.rest, r.frees()
		if err := l.send(r); err != nil {
			l.cut()
			l.client.Close()
			l.open()
		}
	}
}

// gather lets as many publishers post as the last round has set free. One that
// publishes alone is not held up.
func (l *lane) gather(freed int) {
	for begun := time.Now(); ; {
		runtime.Gosched()
		if l.b.outbox.size.Load() >= int64(freed) || time.Since(begun) > gatherWithin {
			return
		}
	}
}

func (l *lane) open() {
	var life context.Context
	life, l.cut = context.WithCancel(l.b.life)
	l.client = l.b.address.Client(life)
}

// round is what goes out together: parcels of messages for one key each.
type round struct {
	batches []*batch
	parcels []parcel
	count   int
	bytes   int
	rest    *batch // the last batch, when not all of it is in the round
}

// frees is how many publishers have nothing more to wait for after the round.
func (r *round) frees() int {
	n := len(r.batches)
	if n > 0 && r.batches[n-1] == r.rest {
		return n - 1
	}
	return n
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

// nextRound takes what waits, the rest of a batch first; nil: there is nothing.
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
			o.size.Add(-1)
		}
		if r.add(p) {
			p.round = l
			l.here++
		}
		p = nil
	}
	if len(r.batches) == 0 {
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
	pipe := l.client.Pipeline()
	told := map[string]bool{}
	for i := range r.parcels {
		p := &r.parcels[i]
		p.cmd = redis.NewIntCmd(ctx, p.words...)
		_ = pipe.Process(ctx, p.cmd)
		if p.due {
			told[p.who[0].p.Msgs[p.who[0].i].Queue] = true
		}
	}
	for queue := range told {
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
