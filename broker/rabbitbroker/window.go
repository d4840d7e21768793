package rabbitbroker

import (
	"context"
	"errors"
)

// window is how many messages are unconfirmed at the server at most. Measured
// (facts of the project): 100 is worth 8 to 18 times one by one, more adds
// nothing.
const window = 128

// tooManyGiven is how many posts of a session may lack their confirm after
// their callers have given up: they keep their places.
const tooManyGiven = window / 2

// letter identifies a message on its way: a return names only these.
type letter struct{ id, queue string }

func (p *post) letter() letter { return letter{p.out.MessageId, p.queue} }

// errTwin: the same letter is on its way, and its caller has given up.
var errTwin = errors.New("the same message was published before and not confirmed")

// claim waits until the letter of the post is not on its way, and takes it.
// It waits in the caller, so the caller's next messages stay behind this one
// and nobody else's do. errTwin: only another session can send it; nil also
// where the session takes no more posts.
func (s *pubSession) claim(ctx context.Context, p *post) error {
	for {
		s.mu.Lock()
		twin := s.onWay[p.letter()]
		if twin == nil {
			s.onWay[p.letter()], p.left = p, make(chan struct{})
			s.mu.Unlock()
			return nil
		}
		given, left := twin.given, twin.left
		s.mu.Unlock()
		if given {
			return errTwin
		}
		select {
		case <-left:
		case <-s.over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// spare is the end of a post that will not be written on this session.
func (s *pubSession) spare(p *post) {
	s.mu.Lock()
	s.leave(p)
	s.mu.Unlock()
	if p.step != none {
		s.delays.leave(p)
	}
}

// leave gives the letter of the post back, if it has it. The caller holds mu.
func (s *pubSession) leave(p *post) {
	if s.onWay[p.letter()] != p {
		return
	}
	delete(s.onWay, p.letter())
	if !p.given {
		close(p.left)
	}
}

// write is the only goroutine that publishes on the channel. A write can hang
// in the socket while the server does not read; callers do not wait for it.
func (s *pubSession) write() {
	for {
		select {
		case <-s.over:
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

// admit waits until the server takes publishes and there is a place in the
// window. False: the post was withdrawn or the session takes no more.
func (s *pubSession) admit(p *post) bool {
	open, _ := s.link.taking()
	select {
	case <-open:
	case <-p.withdrawn:
		return false
	case <-s.over:
		return false
	}
	select {
	case s.places <- struct{}{}:
		return true
	case <-p.withdrawn:
		return false
	case <-s.over:
		return false
	}
}

// put writes one admitted post. Without confirms that is all that can be known
// of it.
func (s *pubSession) put(p *post) {
	if !s.begin(p) {
		<-s.places
		s.spare(p)
		return
	}
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

// begin counts the post as written. False: it was withdrawn, or the session is
// retired and may have its connection closed at any moment.
func (s *pubSession) begin(p *post) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired || !p.state.CompareAndSwap(waiting, written) {
		return false
	}
	s.live++
	return true
}

// conclude gives a written post its fate.
func (s *pubSession) conclude(p *post, fate error) {
	s.mu.Lock()
	if p.given {
		s.given--
	} else {
		s.live--
	}
	s.leave(p)
	s.ebb()
	s.mu.Unlock()
	<-s.places
	if p.step != none {
		s.delays.leave(p) // no longer on its way
	}
	p.err = fate
	close(p.done)
}

// giveUp: the caller of a written post waits no more. The post keeps its place
// and its letter, because its confirm and its return can still come. It reports
// how many such posts the session has.
func (s *pubSession) giveUp(p *post) (given int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onWay[p.letter()] == p && !p.given {
		p.given = true
		s.live--
		s.given++
		close(p.left)
		s.ebb()
	}
	return s.given
}

// retire: the session takes no more posts. It stands until no caller waits for
// a confirm of it.
func (s *pubSession) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = true
	s.takeNoMore()
	s.ebb()
}

// takeNoMore closes over, once. The caller holds mu.
func (s *pubSession) takeNoMore() {
	select {
	case <-s.over:
	default:
		close(s.over)
	}
}

// ebb closes idle when it is time, once. The caller holds mu.
func (s *pubSession) ebb() {
	if !s.retired || s.live > 0 {
		return
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}

// seeOut ends a retired session when no caller waits for a confirm of it, or
// when the client is closed.
func (s *pubSession) seeOut() {
	select {
	case <-s.idle:
		ctx, cancel := context.WithTimeout(s.b.life, closeLimit)
		s.close(ctx)
		cancel()
	case <-s.b.life.Done():
		s.link.abandon()
	case <-s.gone:
	}
	s.running.Wait()
}
