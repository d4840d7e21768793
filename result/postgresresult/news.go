package postgresresult

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// The pauses between two tries to listen, and how long a connection on which
// nothing is heard is believed in.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
	quiet      = 5 * time.Second
	quietLimit = 3 * time.Second // for the answer after that
)

// news is the one connection by which a client hears of finished tasks. It is
// made when somebody first waits.
type news struct {
	store *Store
	once  sync.Once
}

// follow sees to it that the client listens.
func (n *news) follow(string) {
	n.once.Do(func() { n.store.work.Go(n.run) })
}

// run listens until the client's life ends.
func (n *news) run() {
	life := n.store.life
	for pause := firstPause; life.Err() == nil; {
		heard, err := n.listen(life)
		if life.Err() != nil {
			return
		}
		n.store.opts.Logger().Debug("does not hear of results", "store", n.store.address.shown, "err", err)
		if heard {
			pause = firstPause
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-life.Done():
		}
		timer.Stop()
		pause = min(2*pause, longPause)
	}
}

// listen hears on one connection until that is lost. It reports whether it stood.
func (n *news) listen(life context.Context) (bool, error) {
	config := n.store.pool.Config().ConnConfig
	c, err := pgx.ConnectConfig(life, config)
	if err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(life, time.Second)
		defer cancel()
		_ = c.Close(ctx)
	}()
	if err := n.say(life, c, "LISTEN acklab_results"); err != nil {
		return false, err
	}
	n.store.waiters.WakeAll() // what was notified before was not heard
	for {
		ctx, cancel := context.WithTimeout(life, quiet)
		news, err := c.WaitForNotification(ctx)
		late := ctx.Err() != nil
		cancel()
		switch {
		case err == nil:
			n.store.waiters.Wake(news.Payload)
		case !late || life.Err() != nil || c.IsClosed():
			return true, err
		default: // nothing to hear, or nobody there
			if err := n.say(life, c, "SELECT 1"); err != nil {
				return true, err
			}
		}
	}
}

func (n *news) say(life context.Context, c *pgx.Conn, statement string) error {
	ctx, cancel := context.WithTimeout(life, quietLimit)
	defer cancel()
	_, err := c.Exec(ctx, statement)
	return err
}
