package rabbitbroker

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// defaultHeartbeat is the interval of the client library's own default.
const defaultHeartbeat = 10 * time.Second

// address is what a broker URL says.
type address struct {
	dial      string // for the client library: with the password, without our query
	shown     string // for people: without the password
	quorum    bool
	heartbeat time.Duration

	durable, persistent, confirms bool

	priority bool // queues have priorities
}

// parseURL reads amqp://user:pass@host:port/vhost?queue_type=...&heartbeat=...&durable=...&persistent=...&confirms=...&priority=...
// Its errors never quote the part of the URL that may hold a password.
func parseURL(raw string) (address, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return address{}, errors.New("the broker URL cannot be parsed (reserved characters in user name or password must be percent-encoded)")
	}
	a := address{shown: shown(u), heartbeat: defaultHeartbeat, durable: true, persistent: true, confirms: true}
	switch {
	case u.Scheme != "amqp" && u.Scheme != "amqps":
		return address{}, fmt.Errorf("broker URL with scheme %q: use amqp or amqps", u.Scheme)
	case u.Opaque != "" || u.Hostname() == "":
		return address{}, fmt.Errorf("broker URL %s://: it names no host", u.Scheme)
	case u.Fragment != "" || strings.ContainsAny(raw, " \t\r\n#"):
		return address{}, fmt.Errorf("broker URL %s: it must hold neither blanks nor #", a.shown)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return address{}, fmt.Errorf("broker URL %s: port %s: use 1 to 65535", a.shown, port)
		}
	}
	if err := a.query(u.RawQuery); err != nil {
		return address{}, fmt.Errorf("broker URL %s: %w", a.shown, err)
	}
	bare := *u
	bare.RawQuery, bare.ForceQuery = "", false
	a.dial = bare.String()
	return a, nil
}

func (a *address) query(raw string) error {
	params, err := url.ParseQuery(raw)
	if err != nil {
		return errors.New("the part after ? cannot be parsed")
	}
	for name, values := range params {
		value := values[0]
		switch {
		case len(values) > 1:
			return fmt.Errorf("%s is given %d times", name, len(values))
		case name == "queue_type" && (value == "classic" || value == "quorum"):
			a.quorum = value == "quorum"
		case name == "queue_type":
			return fmt.Errorf("queue_type=%s: use classic or quorum", value)
		case name == "heartbeat":
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil || n == 0 {
				return fmt.Errorf("heartbeat=%s: use 1 to 65535 (seconds)", value)
			}
			a.heartbeat = time.Duration(n) * time.Second
		case name == "durable" || name == "persistent" || name == "confirms":
			if value != "true" && value != "false" {
				return fmt.Errorf("%s=%s: use true or false", name, value)
			}
			*map[string]*bool{"durable": &a.durable, "persistent": &a.persistent, "confirms": &a.confirms}[name] = value == "true"
		case name == "priority" && (value == "on" || value == "off"):
			a.priority = value == "on"
		case name == "priority":
			return fmt.Errorf("priority=%s: use on or off", value)
		default:
			return fmt.Errorf("unknown parameter %s: there are queue_type, heartbeat, durable, persistent, confirms and priority", name)
		}
	}
	switch {
	case a.quorum && !a.durable:
		return errors.New("durable=false: a quorum queue is always durable, leave out one of the two")
	case a.quorum && !a.persistent:
		return errors.New("persistent=false: a quorum queue stores every message, leave out one of the two")
	case a.quorum && a.priority:
		return errors.New("priority=on: a quorum queue has no x-max-priority, only classic queues have; leave out one of the two")
	}
	return nil
}

// shown is the URL without password and query.
func shown(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.User != nil {
		bare.User = url.User(u.User.Username())
	}
	return bare.String()
}
