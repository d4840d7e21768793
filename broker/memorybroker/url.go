package memorybroker

import (
	"fmt"
	"strings"

	"acklab/broker"
)

// Open makes a client, with a server of its own, from the URL
// memory://[?priority=on]: with it queues have priorities.
func Open(rawURL string, opts broker.Options) (*Broker, error) {
	before, option, _ := strings.Cut(rawURL, "?")
	switch {
	case before != "memory://":
		return nil, fmt.Errorf("broker URL memory://...: want memory://[?priority=on], it names no place")
	case option == "", option == "priority=off":
		return New(opts), nil
	case option == "priority=on":
		return NewServer().OpenWithPriorities(opts), nil
	}
	return nil, fmt.Errorf("broker URL memory:// with the option %q: only priority=on is known", option)
}
