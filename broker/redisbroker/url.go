package redisbroker

import (
	"fmt"
	"net/url"
	"time"

	"acklab/broker/redisclient"
)

// DefaultVisibility is how long a consumer may hold a message before another
// one is given it, unless the URL says otherwise: Celery's visibility_timeout.
const DefaultVisibility = time.Hour

// DefaultRestore is how often a consumer looks for messages that have been held
// for too long, unless the URL says otherwise. Celery's workers do at every
// tenth call of a timer of ten seconds.
const DefaultRestore = 100 * time.Second

// maxVisibility and maxRestore bound what a URL may ask for.
const (
	maxVisibility = 365 * 24 * time.Hour
	maxRestore    = 24 * time.Hour
)

var form = redisclient.Form{
	What: "broker", Plain: "redis", Secure: "rediss",
	Usage: "want redis://[user:password@]host[:port][/db][?visibility=1h&restore=100s&lease=fixed|renew&settle=claim|celery&delay=worker|broker&priority=off|on], or rediss:// for TLS",
}

// address is what a broker URL says.
type address struct {
	redisclient.Address
	visibility, restore time.Duration
	renew               bool // the consumer renews its claims
	byTag               bool // settles by tag alone, as Celery does
	delay               bool // the broker holds what has an ETA
	priority            bool // the larger priority is served first
}

// parseURL reads a broker URL. Its errors never repeat a part of the URL that
// could hold the password.
func parseURL(raw string) (address, error) {
	where, options, err := form.Parse(raw)
	if err != nil {
		return address{}, err
	}
	a := address{Address: where, visibility: DefaultVisibility, restore: DefaultRestore}
	return a, a.parseOptions(options)
}

func (a *address) parseOptions(options url.Values) error {
	for name, values := range options {
		if len(values) != 1 {
			return fmt.Errorf("broker URL has the option %q %d times: want it once", name, len(values))
		}
		var err error
		switch value := values[0]; name {
		case "visibility":
			a.visibility, err = parseDuration(name, value, time.Second, maxVisibility)
		case "restore":
			a.restore, err = parseDuration(name, value, 10*time.Millisecond, maxRestore)
		case "lease":
			a.renew, err = parseChoice(name, value, "fixed", "renew")
		case "settle":
			a.byTag, err = parseChoice(name, value, "claim", "celery")
		case "delay":
			a.delay, err = parseChoice(name, value, "worker", "broker")
		case "priority":
			a.priority, err = parseChoice(name, value, "off", "on")
		default:
			err = fmt.Errorf("broker URL has the unknown option %q: only visibility, restore, lease, settle, delay and priority are known", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parseDuration(name, value string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < least || d > most {
		return 0, fmt.Errorf("broker URL has %s=%s: want a duration from %v to %v", name, value, least, most)
	}
	return d, nil
}

// parseChoice tells whether the value is the second word.
func parseChoice(name, value, first, second string) (bool, error) {
	if value != first && value != second {
		return false, fmt.Errorf("broker URL has %s=%s: want %s or %s", name, value, first, second)
	}
	return value == second, nil
}

// renewEvery is how often a consumer renews its claims where it does.
func (a address) renewEvery() time.Duration { return a.visibility / 3 }

// by is the word for the scripts on how a settlement finds its claim.
func (a address) by() string {
	if a.byTag {
		return "celery"
	}
	return "claim"
}
