package rabbitbroker

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// keepTidy lets go of delay locks that are not needed for a while, and deletes
// delay queues that this session has used once all that it published is due.
func (d *delays) keepTidy() {
	tick := time.NewTicker(d.s.b.delayIdle / 4)
	defer tick.Stop()
	for {
		select {
		case <-d.s.gone:
			return
		case <-tick.C:
		}
		for _, u := range d.all() {
			d.mu.Lock()
			now := time.Now()
			idle := u.pending == 0 && now.Sub(u.last) > d.s.b.delayIdle
			over := idle && !u.due.IsZero() && now.Sub(u.due) > d.s.b.delayIdle
			held := u.lock.stands()
			d.mu.Unlock()
			switch {
			case over:
				d.tidy(u)
			case idle && held:
				d.converse(u, func() { d.letGo(u) })
			}
		}
	}
}

func (d *delays) all() []*use {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []*use
	for _, u := range d.uses {
		all = append(all, u)
	}
	return all
}

// close deletes, politely and at the latest until ctx ends, the delay queues
// that are empty.
func (d *delays) close(ctx context.Context) {
	if d.s.b.addr.quorum || !d.s.stands() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	done := make(chan struct{})
	d.s.running.Go(func() {
		defer close(done)
		for _, u := range d.all() {
			d.tidy(u)
		}
	})
	select {
	case <-done:
	case <-ctx.Done(): // the rest ends with the connection
	}
}

// converse runs f when it has the turn; not at all when the session ends.
func (d *delays) converse(u *use, f func()) {
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
		f()
	case <-d.s.gone:
	}
}

// tidy deletes the delay queues of a destination that are empty, if this
// client can have the delay lock alone. What is left is left to the last
// client that uses them. It reports whether it has looked at all of them.
func (d *delays) tidy(u *use) (swept bool) {
	d.converse(u, func() {
		if !d.letGo(u) {
			return
		}
		l, err := d.s.acquire(context.Background(), u.to, true) // ends with the connection
		if err == nil {
			err = d.sweep(u)
			l.release()
			swept = err == nil
		}
		if err != nil {
			d.s.b.log.Debug("delay queues are left", "broker", d.s.b.addr.shown, "queue", u.to, "error", err)
		}
		d.mu.Lock()
		u.due = time.Time{} // once: the next publish makes it due again
		d.mu.Unlock()
	})
	return swept
}

// letGo gives the shared lock back. False: it is needed.
func (d *delays) letGo(u *use) bool {
	d.mu.Lock()
	l := u.lock
	if u.pending > 0 {
		d.mu.Unlock()
		return false
	}
	u.lock = nil
	d.mu.Unlock()
	if l.stands() {
		if !d.s.confirms && d.s.processed(context.Background()) != nil {
			return false // the session is at its end
		}
		l.release()
	}
	return true
}

// sweep deletes every empty delay queue of the destination, and behind the
// last of them the lock's own. Queues that do not exist are no error to the
// server. It has the delay lock alone.
func (d *delays) sweep(u *use) error {
	var ch *amqp.Channel
	left := 0
	remove := func(name string) (err error) {
		if ch == nil || ch.IsClosed() {
			if ch, err = d.s.link.conn.Channel(); err != nil {
				return err
			}
		}
		_, err = ch.QueueDelete(name, false, true, false)
		return err
	}
	for i := range grid {
		switch err := remove(delayQueue(u.to, i)); {
		case code(err) == amqp.PreconditionFailed: // it holds something
			left++
		case err != nil:
			return err
		}
	}
	if left == 0 {
		if err := remove(u.to + delaySuffix); err != nil {
			return err
		}
	}
	if ch.IsClosed() {
		return nil
	}
	return ch.Close()
}
