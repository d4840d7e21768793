package experiments

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
}

// ServerKind says which server a system needs.
type ServerKind string

// The kinds of servers.
const (
	NoServer    ServerKind = "none"
	RedisServer ServerKind = "redis"
	RabbitMQ    ServerKind = "rabbitmq"
)

// Systems are all systems, in the order of reports.
var Systems = []System{
	{Name: "memory", Kind: NoServer, URL: func(string) string { return "memory://" }},
	{Name: "asynq", Kind: RedisServer, URL: func(addr string) string { return "asynq://" + addr + "/0?poll=50ms" }},
	{Name: "rabbitmq", Kind: RabbitMQ, URL: func(addr string) string { return "amqp://guest:guest@" + addr + "/" }},
	{Name: "rabbitmq-quorum", Kind: RabbitMQ, URL: func(addr string) string {
		return "amqp://guest:guest@" + addr + "/?queue_type=quorum"
	}},
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

// Traits are what the system's driver says of itself before it has met a
// server: what predictions are made from.
func (s System) Traits() broker.Traits {
	b, err := connect.Open(context.Background(), s.URL("127.0.0.1:1"), broker.Options{})
	if err != nil {
		panic(fmt.Sprintf("experiments: the URL of system %s is refused by its own driver: %v", s.Name, err))
	}
	defer b.Close(context.Background())
	return b.Traits()
}
