package result

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Gather turns calls that come at the same moment into few round trips: while
// some are on their way, those that come in the meantime wait, and go together
// when there is room again. A call that finds nobody before it goes at once. It
// is safe for concurrent use. Only drivers need it.
type Gather[Q, A any] struct {
	// Do makes the round trip and returns one answer for each question, in
	// order. Its context ends when nobody waits for an answer any more: at the
	// latest of the callers' deadlines, after Patience, or with Life.
	Do func(ctx context.Context, questions []Q) []Answer[A]
	// Width is how many round trips may be under way at once.
	Width int
	// Most is the largest number of questions in one, and Load, if Weigh is set,
	// the sum of weights at which it is full.
	Most, Load int
	Weigh      func(Q) int
	// Apart, if set, keeps questions of the same key out of one round trip, the
	// later for a later one.
	Apart func(Q) string
	// Patience bounds a round trip.
	Patience time.Duration
	// Life is the client's: when it ends, all calls do.
	Life context.Context

	mu      sync.Mutex
	waiting []*asked[Q, A]
	running int
	closed  bool
	work    sync.WaitGroup
}

// Answer is what came of one question.
type Answer[A any] struct {
	Value A
	Err   error
}

type asked[Q, A any] struct {
	ctx      context.Context
	question Q
	answer   chan Answer[A]
}

// Ask makes one call. It returns when the answer is there, with an error that
// wraps ErrUnavailable and ctx's when ctx ends before, or with ErrClosed.
func (g *Gather[Q, A]) Ask(ctx context.Context, question Q) (A, error) {
	var none A
	if err := context.Cause(ctx); err != nil {
		return none, Unavailable(err)
	}
	a := &asked[Q, A]{ctx: ctx, question: question, answer: make(chan Answer[A], 1)}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return none, ErrClosed
	}
	g.waiting = append(g.waiting, a)
	if g.running < g.Width {
		g.running++
		g.work.Go(g.run)
	}
	g.mu.Unlock()
	select {
	case answer := <-a.answer:
		return answer.Value, answer.Err
	case <-ctx.Done():
		return none, Unavailable(context.Cause(ctx))
	case <-g.Life.Done():
		return none, ErrClosed
	}
}

// Close refuses further calls and returns when no round trip is under way. Life
// must have ended, or Close may wait as long as the store does.
func (g *Gather[Q, A]) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.work.Wait()
}

// run makes round trips as long as somebody waits for one.
func (g *Gather[Q, A]) run() {
	for {
		g.mu.Lock()
		batch := g.take()
		if len(batch) == 0 {
			g.running--
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		g.trip(batch)
	}
}

// take removes from those who wait the ones that go next. Who has left is
// dropped.
func (g *Gather[Q, A]) take() []*asked[Q, A] {
	var batch, left []*asked[Q, A]
	var taken map[string]bool
	load := 0
	for i, a := range g.waiting {
		if len(batch) == g.Most || g.Weigh != nil && load >= g.Load {
			left = append(left, g.waiting[i:]...)
			break
		}
		if a.ctx.Err() != nil {
			continue
		}
		if g.Apart != nil {
			key := g.Apart(a.question)
			if taken[key] {
				left = append(left, a)
				continue
			}
			if taken == nil {
				taken = make(map[string]bool, len(g.waiting))
			}
			taken[key] = true
		}
		if g.Weigh != nil {
			load += g.Weigh(a.question)
		}
		if batch == nil {
			batch = make([]*asked[Q, A], 0, min(len(g.waiting), g.Most))
		}
		batch = append(batch, a)
	}
	g.waiting = left
	return batch
}

func (g *Gather[Q, A]) trip(batch []*asked[Q, A]) {
	until := time.Now().Add(g.Patience)
	latest := time.Time{}
	questions := make([]Q, len(batch))
	for i, a := range batch {
		questions[i] = a.question
		deadline, ok := a.ctx.Deadline()
		if !ok {
			deadline = until
		}
		if deadline.After(latest) {
			latest = deadline
		}
	}
	if latest.Before(until) {
		until = latest
	}
	ctx, cancel := context.WithDeadline(g.Life, until)
	defer cancel()
	answers := g.Do(ctx, questions)
	for i, a := range batch {
		answer := Answer[A]{Err: Unavailable(fmt.Errorf("%d answers to %d questions", len(answers), len(batch)))}
		if i < len(answers) {
			answer = answers[i]
		}
		if answer.Err != nil && g.Life.Err() != nil {
			answer.Err = ErrClosed
		}
		a.answer <- answer
	}
}
