package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/broker/redisclient"
)

const (
	// maxPop bounds how many messages of one queue a pop takes.
	maxPop = 100
	// maxAcks and maxMoves bound the settlements that go out together.
	maxAcks  = 500
	maxMoves = 100
)

// noList is the word of move.lua on a key that holds something else.
const noList = -2

// errTwice: whether the settlement took effect cannot be told.
var errTwice = errors.New("it was sent twice, because the first answer was lost, and the claim is gone")

// turn is what goes to Redis in one round trip: what was settled, then the
// question for as many messages as there is room for then. So Redis never sees
// more than the prefetch with the consumer.
type turn struct {
	acks, moves []*hold
	renew       []*hold
	renewed     renewal
	rooms       []room

	ack, move, renewal, pop *redis.Cmd
	asked, answered         time.Time // around the round trip
}

// room is how many messages of a source are wanted.
type room struct {
	source *source
	want   int
}

// trade is a session's exchange with Redis.
type trade struct {
	*session
	conn   *redis.Conn
	loaded map[*redis.Script]bool
	pops   int       // so far, for the tags that are made up
	renew  time.Time // when the claims are to be renewed; zero: never
	pause  time.Duration
}

// exchange settles and pops until the session ends.
func (s *session) exchange() {
	t := &trade{session: s, conn: s.client.Conn(), loaded: map[*redis.Script]bool{}}
	defer func() { t.conn.Close() }()
	if s.c.broker.address.renew {
		t.renew = time.Now()
	}
	s.c.reopen()
	for s.life.Err() == nil {
		now := t.nextTurn()
		if now == nil {
			if !t.sleep() {
				return
			}
			continue
		}
		t.deal(now)
	}
}

// reopen has every source asked.
func (c *Consumer) reopen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, src := range c.sources {
		src.maybe = true
	}
}

// sleep waits for something to do; false: the session has ended.
func (t *trade) sleep() bool {
	var due <-chan time.Time
	if !t.renew.IsZero() {
		timer := time.NewTimer(time.Until(t.renew))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-t.c.bell:
		runtime.Gosched() // who else is about to settle shares the turn
		return true
	case <-due:
		return true
	case <-t.life.Done():
		return false
	}
}

// nextTurn collects what there is to do; nil: nothing.
func (t *trade) nextTurn() *turn {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	n := &turn{}
	taken := 0
	for _, h := range c.desk.pending {
		if len(n.acks) == maxAcks || len(n.moves) == maxMoves {
			break
		}
		if h.want == acked {
			n.acks = append(n.acks, h)
		} else {
			n.moves = append(n.moves, h)
		}
		taken++
	}
	late := map[*source]int{} // settled, but not in this turn: Redis still counts them
	for _, h := range c.desk.pending[taken:] {
		late[h.source]++
	}
	if now := time.Now(); !t.renew.IsZero() && !now.Before(t.renew) {
		n.renew, n.renewed = c.renewals(now)
		t.renew = now.Add(c.broker.address.renewEvery())
	}
	if !c.isStopping() {
		for _, src := range c.sources {
			if !src.maybe {
				continue
			}
			want := maxPop
			if src.prefetch != broker.Unlimited {
				want = min(maxPop, src.prefetch-src.held-late[src])
			}
			if want > 0 {
				n.rooms = append(n.rooms, room{src, want})
			}
		}
	}
	if taken == 0 && len(n.renew) == 0 && len(n.rooms) == 0 {
		return nil
	}
	c.popping = len(n.rooms) > 0
	return n
}

// deal does one turn. After an error it waits, longer each time.
func (t *trade) deal(n *turn) {
	err := t.send(n)
	t.settled(n, err)
	t.renewedBy(n)
	if more := t.popped(n); err == nil {
		err = more
	}
	switch {
	case err == nil:
		t.pause = 0
	case t.broken(err):
	case redis.HasErrorPrefix(err, "NOSCRIPT"):
		clear(t.loaded)
	default:
		t.c.broker.opts.Logger().Debug("redis refuses a consumer", "broker", t.c.broker.address.String(), "err", err)
		t.conn.Close() // go-redis uses none again that has said READONLY
		t.conn = t.client.Conn()
		t.pause = min(max(2*t.pause, redisclient.RetryMin), redisclient.RetryMax)
		redisclient.Rest(t.life, t.pause)
	}
}

// send sends the turn. The error is the first that a command met.
func (t *trade) send(n *turn) error {
	pipe := t.conn.Pipeline()
	by := t.c.broker.address.by()
	if len(n.acks) > 0 {
		n.ack = t.eval(pipe, ackScript, nil, ackWords(by, n.acks))
	}
	if len(n.moves) > 0 {
		args := append(make([]any, 0, 1+5*len(n.moves)), by)
		lists := make([]string, 0, len(n.moves))
		for _, h := range n.moves {
			command := "RPUSH"
			if h.want == rejected {
				command = "LPUSH"
			}
			lists = append(lists, h.list)
			args = append(args, h.tag, h.score, h.other, command, h.payload)
		}
		n.move = t.eval(pipe, moveScript, lists, args)
	}
	n.asked = time.Now()
	if len(n.renew) > 0 {
		args := append(make([]any, 0, 1+3*len(n.renew)), n.renewed.score)
		for _, h := range n.renew {
			args = append(args, h.tag, h.score, h.other)
		}
		n.renewal = t.eval(pipe, renewScript, nil, args)
	}
	if len(n.rooms) > 0 {
		t.pops++
		args := append(make([]any, 0, 1+2*len(n.rooms)), fmt.Sprintf("no-tag-%s-%d-%d-", t.c.nonce, t.number, t.pops))
		var lists []string
		for _, r := range n.rooms {
			lists = append(lists, r.source.lists...)
			args = append(args, r.want, r.source.ending)
		}
		n.pop = t.eval(pipe, popScript, lists, args)
	}
	cmds, err := pipe.Exec(context.Background()) // ends with the session
	n.answered = time.Now()
	if err != nil {
		redisclient.Spread(cmds, err)
	}
	return err
}

// ackWords are the arguments of the script, with claims of the same moment
// together where they follow each other.
func ackWords(by string, hs []*hold) []any {
	words := append(make([]any, 0, 4+len(hs)), by)
	for from := 0; from < len(hs); {
		first, to := hs[from], from+1
		for to < len(hs) && hs[to].score == first.score && hs[to].other == first.other {
			to++
		}
		words = append(words, first.score, first.other, to-from)
		for _, h := range hs[from:to] {
			words = append(words, h.tag)
		}
		from = to
	}
	return words
}

// eval adds a script: by its text the first time, which has Redis keep it.
func (t *trade) eval(pipe redis.Pipeliner, script *redis.Script, lists []string, args []any) *redis.Cmd {
	keys := append([]string{unackedKey, indexKey}, lists...)
	if t.loaded[script] {
		return script.EvalSha(context.Background(), pipe, keys, args...)
	}
	t.loaded[script] = true
	return script.Eval(context.Background(), pipe, keys, args...)
}

// settled notes what became of the settlements of a turn. One that certainly
// changed nothing, and one without an answer, is sent again.
func (t *trade) settled(n *turn, err error) {
	if n.ack == nil && n.move == nil {
		return
	}
	var stale []*hold
	c := t.c
	c.mu.Lock()
	stale = c.judge(n.acks, n.ack, stale)
	stale = c.judge(n.moves, n.move, stale)
	c.advance()
	c.mu.Unlock()
	for _, h := range stale {
		c.tellStale(h)
	}
}

// judge reads the answer to a script that settles: position and word of each
// claim that did not stand. The lock is held. It adds the stale ones.
func (c *Consumer) judge(hs []*hold, cmd *redis.Cmd, stale []*hold) []*hold {
	if cmd == nil {
		return stale
	}
	words := map[int]int64{}
	answer, err := cmd.Slice()
	if err != nil {
		_, refused := redisclient.Refused(err)
		var reply redis.Error
		switch {
		case refused, redis.HasErrorPrefix(err, "NOSCRIPT"):
		case errors.As(err, &reply):
			for _, h := range hs {
				c.decided(h, fmt.Errorf("message %s: %w: %w", h.tag, broker.ErrUnsure, err))
			}
		default:
			for _, h := range hs {
				h.tried = true
			}
		}
		return stale
	}
	for i := 0; i+1 < len(answer); i += 2 {
		at, _ := answer[i].(int64)
		words[int(at)], _ = answer[i+1].(int64)
	}
	for i, h := range hs {
		word, failed := words[i]
		switch {
		case !failed:
			c.decided(h, nil)
		case word == noList:
			c.decided(h, fmt.Errorf("message %s: %q is no list: %w", h.tag, h.list, broker.ErrUnsure))
		case h.tried && (word == 0 || h.want != acked): // what went back may be another's by now
			c.decided(h, fmt.Errorf("message %s: %w: %w", h.tag, broker.ErrUnsure, errTwice))
		default:
			c.decided(h, fmt.Errorf("message %s: its lease has expired and it was given back: %w", h.tag, broker.ErrStale))
			stale = append(stale, h)
		}
	}
	return stale
}

// popped passes on what the pop of a turn has brought.
func (t *trade) popped(n *turn) error {
	if n.pop == nil {
		return nil
	}
	got, err := n.catch()
	got.session = t.number
	c := t.c
	c.mu.Lock()
	c.popping = false
	var wait []*waiter
	for i, messages := range got.messages {
		r := n.rooms[i]
		count := len(messages) / 2
		c.unread += count
		r.source.held += count
		r.source.taken.Add(int64(count))
		if count < r.want {
			r.source.maybe = false
			wait = append(wait, r.source.waiters...)
		}
	}
	c.heard(err)
	c.settleDown()
	c.mu.Unlock()
	for _, w := range wait {
		w.arm()
	}
	if err != nil {
		return err
	}
	c.clock.heed(got.score, n.asked, n.answered)
	if got.isNews(len(c.sources) > 1) {
		select {
		case c.arrivals <- got:
		case <-c.life.Done(): // nobody takes it any more: the leases bring it back
		}
	}
	return nil
}

// heard notes the first reply to a pop. One that refuses us for good is the
// subscription's error; one that may pass (memory, loading) is not. The lock is
// held.
func (c *Consumer) heard(err error) {
	var reply redis.Error
	if c.askedYet || err != nil && !errors.As(err, &reply) || redis.HasErrorPrefix(err, "NOSCRIPT") {
		return
	}
	c.askedYet = true
	if reason, _ := redisclient.Refused(err); reason == broker.Denied {
		c.denied = err
	}
	close(c.asked)
}

// catch is what a pop has brought.
type catch struct {
	session  int
	score    string // of the claims
	lease    time.Time
	rooms    []room
	messages [][]any // for each room: tag, message, tag, message...
}

// isNews tells whether it is worth telling: that queues are empty is, where
// there are several.
func (g catch) isNews(several bool) bool {
	return several || slices.ContainsFunc(g.messages, func(m []any) bool { return len(m) > 0 })
}

func (n *turn) catch() (catch, error) {
	answer, err := n.pop.Slice()
	if err != nil {
		return catch{}, err
	}
	if len(answer) != 1+len(n.rooms) {
		return catch{}, fmt.Errorf("redis answered a pop of %d queues with %d parts", len(n.rooms), len(answer))
	}
	got := catch{lease: n.asked, rooms: n.rooms, messages: make([][]any, len(n.rooms))}
	got.score, _ = answer[0].(string)
	for i, part := range answer[1:] {
		got.messages[i], _ = part.([]any)
	}
	return got, nil
}
