package experiments

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"acklab/broker"
	"acklab/internal/connect"
)

// System is one thing under test: a driver and the server it speaks to.
type System struct {
	// Name is the word for it in reports and flags.
	Name string
	// Kind is the kind of server it needs.
	Kind ServerKind
	// URL makes the broker URL from the server's host:port.
	URL func(addr string) string
	// Traits are what the system's driver says of itself before it has met a
	// server, with a cell's own options in its URL: what predictions are made from.
	Traits func(options ...string) broker.Traits
	// Celery: its workers are Celery's.
	Celery bool
}

// system asks the driver for its traits once, however many cells and trials
// without options of their own want to know them.
func system(name string, kind ServerKind, url func(addr string) string) System {
	usual := sync.OnceValue(func() broker.Traits { return traits(name, url) })
	return System{Name: name, Kind: kind, URL: url, Traits: func(options ...string) broker.Traits {
		if len(options) == 0 {
			return usual()
		}
		return traits(name, func(addr string) string { return withOptions(url(addr), options) })
	}}
}

// traits are those of the cell's system with the cell's options.
func (c *Cell) traits() broker.Traits { return c.System.Traits(c.Options...) }

// ServerKind says which server a system needs.
type ServerKind string

// The kinds of servers.
const (
	NoServer    ServerKind = "none"
	RedisServer ServerKind = "redis"
	RabbitMQ    ServerKind = "rabbitmq"
	Postgres    ServerKind = "postgres" // for results only
)

// Systems are all systems, in the order of reports.
var Systems = []System{
	system("memory", NoServer, func(string) string { return "memory://" }),
	system("asynq", RedisServer, func(addr string) string { return "asynq://" + addr + "/0?poll=50ms" }),
	// A lease of half a minute is long enough for a busy machine not to lose one,
	// and short enough to be waited for.
	system("redis", RedisServer, func(addr string) string { return "redis://" + addr + "/0?visibility=30s&restore=1s" }),
	system("rabbitmq", RabbitMQ, func(addr string) string { return "amqp://guest:guest@" + addr + "/" }),
	system("rabbitmq-quorum", RabbitMQ, func(addr string) string { return "amqp://guest:guest@" + addr + "/?queue_type=quorum" }),
	// The sweep is every ten of kombu's timers of ten seconds. The database is its
	// own: the layout has one hash of claims for all queues of a database, and
	// kombu's sweep goes by the tag.
	celerySystem("celery+redis", RedisServer, func(addr string) string {
		return "redis://" + addr + "/3?visibility=" + celeryLease.String() + "&restore=100s"
	}),
	celerySystem("celery+rabbitmq", RabbitMQ, func(addr string) string { return "amqp://guest:guest@" + addr + "/" }),
}

// withOptions adds a cell's own options, as in "persistent=false", to a URL. One
// that the URL has already is replaced.
func withOptions(raw string, options []string) string {
	base, query, _ := strings.Cut(raw, "?")
	words := slices.DeleteFunc(strings.Split(query, "&"), func(old string) bool {
		name, _, _ := strings.Cut(old, "=")
		return old == "" || slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, name+"=") })
	})
	if words = append(words, options...); len(words) == 0 {
		return base
	}
	return base + "?" + strings.Join(words, "&")
}

// hasRaces tells whether a suite carries out the races on the system, of 50
// trials each. Quick has no time for all: one broker whose connections hold the
// tasks, and one with leases.
func hasRaces(sys System, suite Suite) bool {
	return suite != Quick || sys.Name == "rabbitmq" || sys.Name == "redis"
}

// SystemNames are the names of all systems, in order.
func SystemNames() []string {
	var names []string
	for _, s := range Systems {
		names = append(names, s.Name)
	}
	return names
}

// systemNamed finds a system; the error lists those that exist.
func systemNamed(name string) (System, error) {
	i := slices.IndexFunc(Systems, func(s System) bool { return s.Name == name })
	if i < 0 {
		return System{}, fmt.Errorf("unknown system %q: use %s", name, strings.Join(SystemNames(), ", "))
	}
	return Systems[i], nil
}

// traits opens the driver on an address that nobody serves.
func traits(name string, url func(addr string) string) broker.Traits {
	b, err := connect.Open(context.Background(), url("127.0.0.1:1"), broker.Options{})
	if err != nil {
		panic(fmt.Sprintf("experiments: the URL of system %s is refused by its own driver: %v", name, err))
	}
	defer b.Close(context.Background())
	return b.Traits()
}
