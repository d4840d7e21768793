package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/broker/redisclient"
	"acklab/task"
)

// overduePage is how many overdue messages are looked at together.
const overduePage = 100

// sweepLock is how long the lock of a sweep holds unless it is given back; each
// page has it anew. A worker that dies while it sweeps holds up nobody for longer;
// kombu's own is five minutes.
const sweepLock = 5 * time.Second

var (
	// keepScript has the lock hold for longer if it is still ours.
	keepScript = redis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`)
	// releaseScript gives the lock back if it is still ours.
	releaseScript = redis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`)
)

// restore gives back what anybody has held for longer than the visibility, now
// and from time to time, as every Celery worker does.
func (s *session) restore() {
	pause := s.c.broker.address.restore
	for {
		if err := s.sweep(); err != nil {
			if s.broken(err) {
				return
			}
			s.c.broker.opts.Logger().Debug("overdue messages were not restored", "broker", s.c.broker.address.String(), "err", err)
		}
		if !redisclient.Rest(s.life, pause) {
			return
		}
	}
}

// sweep looks at all that is overdue, page by page, unless somebody else is
// sweeping. Between two of this driver no lock is needed, since a claim that is
// not the one that was seen is left alone; but a Celery worker goes by the tag,
// and would take from a worker what this sweep has just given it.
func (s *session) sweep() (err error) {
	ours := uuid.NewString()
	err = s.client.Do(context.Background(), "set", mutexKey, ours, "nx", "px", sweepLock.Milliseconds()).Err()
	reason, _ := redisclient.Refused(err)
	locked := err == nil
	switch {
	case errors.Is(err, redis.Nil): // somebody else is
		return nil
	case reason == broker.Full: // no room for a lock; kombu's workers end when it is full
	case err != nil:
		return err
	}
	if locked {
		defer func() {
			err = errors.Join(err, releaseScript.Run(context.Background(), s.client, []string{mutexKey}, ours).Err())
		}()
	}
	for left := 0; ; {
		n, stay, err := s.restorePage(left)
		if err != nil || n < overduePage {
			return err
		}
		left += stay
		if locked {
			held, err := keepScript.Run(context.Background(), s.client, []string{mutexKey}, ours, sweepLock.Milliseconds()).Int()
			if err != nil || held == 0 { // somebody else goes on from here
				return err
			}
		}
	}
}

// restorePage gives back a page of overdue messages after the first ones, each
// only if its claim is still the one that was seen. It returns how many there
// were, and how many of them stay where they are: nobody can read them, or what
// is at the key of their list is no list.
func (s *session) restorePage(first int) (n, stay int, err error) {
	a := s.c.broker.address
	keys := []string{unackedKey, indexKey}
	// Whatever was sent ends with the session.
	overdue, err := overdueScript.Run(context.Background(), s.client, keys, fmt.Sprintf("%.6f", a.visibility.Seconds()), overduePage, first).Slice()
	if err != nil {
		return 0, 0, err
	}
	lists := keys
	args := []any{"claim"}
	var empty []any
	for i := 0; i+2 < len(overdue); i, n = i+3, n+1 {
		tag, score := overdue[i], overdue[i+1]
		value, ok := overdue[i+2].(string)
		if !ok {
			empty = append(empty, tag, score)
			continue
		}
		list, message, err := s.way([]byte(value))
		if err != nil {
			stay++
			s.c.broker.opts.Logger().Warn("an entry of unacked cannot be read", "broker", a.String(), "tag", tag, "err", err)
			continue
		}
		lists = append(lists, list)
		args = append(args, tag, score, "", "RPUSH", message)
	}
	if len(args) > 1 {
		said, err := moveScript.Run(context.Background(), s.client, lists, args...).Slice()
		if err != nil {
			return n, stay, err
		}
		for i := 1; i < len(said); i += 2 {
			if word, _ := said[i].(int64); word == noList {
				stay++
			}
		}
	}
	if len(empty) > 0 {
		return n, stay, dropScript.Run(context.Background(), s.client, keys, empty...).Err()
	}
	return n, stay, nil
}

// way tells to which list an entry of unacked goes back, and as what.
func (s *session) way(value []byte) (list string, message []byte, err error) {
	e, err := readEntry(value)
	if err != nil {
		return "", nil, err
	}
	queue := e.routingKey
	if e.exchange != "" {
		if queue, err = s.bound(e); err != nil {
			return "", nil, err
		}
	}
	m, _, malformed := task.UnmarshalDelivery(e.message)
	if malformed != nil {
		return listKey(queue, m.Priority), e.message, nil
	}
	return listKey(queue, m.Priority), marked(e.message), nil
}

// bound is the queue that an exchange of Celery's leads a routing key to; one
// that is bound nowhere is read as the name of a queue.
func (s *session) bound(e entry) (string, error) {
	members, err := s.client.SMembers(s.life, bindingPrefix+e.exchange).Result()
	if err != nil {
		return "", err
	}
	for _, member := range members {
		parts := strings.SplitN(member, separator, 3)
		if len(parts) == 3 && parts[0] == e.routingKey {
			return parts[2], nil
		}
	}
	return e.routingKey, nil
}
