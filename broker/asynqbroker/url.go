package asynqbroker

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker/redisclient"
)

// DefaultPoll is how often an idle consumer asks Redis for a task unless the
// URL says otherwise: asynq polls. It waits between half and one and a half of
// it. asynq's own default is a second.
const DefaultPoll = 200 * time.Millisecond

// DefaultForward is how often a consumer has Redis move what is due to where
// consumers look, unless the URL says otherwise: what waited for its ETA, and
// what was given back. asynq's own default is five seconds.
const DefaultForward = 200 * time.Millisecond

var form = redisclient.Form{
	What: "broker", Plain: "asynq", Secure: "asynqs",
	Usage: "want asynq://[user:password@]host[:port][/db][?poll=200ms&forward=200ms&priority=off|on], or asynqs:// for TLS",
}

// address is what a broker URL says.
type address struct {
	redisclient.Address
	poll, forward time.Duration
	priority      bool // queues have priorities
}

// parseURL reads a broker URL. Its errors never repeat a part of the URL that
// could hold the password.
func parseURL(raw string) (address, error) {
	where, options, err := form.Parse(raw)
	if err != nil {
		return address{}, err
	}
	a := address{Address: where, poll: DefaultPoll, forward: DefaultForward}
	return a, a.parseOptions(options)
}

func (a *address) parseOptions(options url.Values) error {
	for name, values := range options {
		var interval *time.Duration
		switch name {
		case "priority":
			if len(values) != 1 || values[0] != "on" && values[0] != "off" {
				return fmt.Errorf("broker URL has priority=%s: want on or off", strings.Join(values, ","))
			}
			a.priority = values[0] == "on"
			continue
		case "poll":
			interval = &a.poll
		case "forward":
			interval = &a.forward
		default:
			return fmt.Errorf("broker URL has the unknown option %q: only poll, forward and priority are known", name)
		}
		d, err := time.ParseDuration(values[0])
		if len(values) != 1 || err != nil || d < time.Millisecond || d > time.Minute {
			return fmt.Errorf("broker URL has %s=%s: want one duration from 1ms to 1m", name, strings.Join(values, ","))
		}
		*interval = d
	}
	return nil
}

// delayLate is how much later than its ETA a task may be asked for.
func (a address) delayLate() time.Duration { return time.Second + a.forward + a.poll*3/2 }

// serverClient is for an asynq server: with the retries and timeouts that
// asynq has by default.
func (a address) serverClient(life context.Context) *redis.Client {
	return redis.NewClient(a.Options(life))
}
