package celery

import (
	"encoding/json"
	"fmt"
	"strings"

	"acklab/internal/minder"
)

// Order is one task that Celery's own producer publishes.
type Order struct {
	Task string `json:"task"`
	Args []any  `json:"args,omitempty"`
	// Options are those of apply_async, by Celery's names.
	Options map[string]any `json:"options,omitempty"`
}

// PublisherOptions say what Celery's own producer knows and publishes.
type PublisherOptions struct {
	// Broker is a URL of the laboratory's, redis or amqp.
	Broker string
	// Queues are those that it knows; the first one is its default.
	Queues []string
	// Routes are its task_routes: a task's name or a glob, and the queue. The first
	// one that fits decides. A queue that it does not know it makes when it
	// publishes, with an exchange of that name: task_create_missing_queues.
	Routes [][2]string
	Orders []Order
}

// Publisher says how to start Celery's own producer. It publishes its orders, on
// AMQP with confirms, writes its ledger as Worker does, and ends: with 1 when one of
// them was not published, which its log says.
func (a App) Publisher(o PublisherOptions, name, dir, ledger, log string) (minder.Spec, error) {
	options := Options{Broker: o.Broker, Queues: o.Queues, ConfirmPublish: true}
	if err := options.Check(); err != nil {
		return minder.Spec{}, err
	}
	routes, err := json.Marshal(append([][2]string{}, o.Routes...))
	if err != nil {
		return minder.Spec{}, fmt.Errorf("celery: write the routes: %w", err)
	}
	orders, err := json.Marshal(append([]Order{}, o.Orders...))
	if err != nil {
		return minder.Spec{}, fmt.Errorf("celery: write the orders: %w", err)
	}
	args := []string{"send", "--queues", strings.Join(o.Queues, ","), "--routes", string(routes), "--orders", string(orders), "--confirm-publish"}
	return a.spec(append(args, options.agreed()...), options.Env(), name, dir, ledger, log), nil
}
