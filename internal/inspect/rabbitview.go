package inspect

import (
	"cmp"
	"context"
	"slices"
)

// RabbitView is what lies in a virtual host of RabbitMQ, each list in the order
// of names. More counts what was left out because of the limit.
type RabbitView struct {
	// Vhost is the virtual host.
	Vhost string `json:"vhost"`
	// Management is the API that told all this.
	Management    string     `json:"management"`
	Queues        []Queue    `json:"queues"`
	MoreQueues    int        `json:"more_queues,omitempty"`
	Exchanges     []Exchange `json:"exchanges"`
	MoreExchanges int        `json:"more_exchanges,omitempty"`
	Bindings      []Binding  `json:"bindings"`
	MoreBindings  int        `json:"more_bindings,omitempty"`
}

func (v *View) lookRabbit(ctx context.Context, t *Target, o Options) error {
	hello, err := t.Hello(ctx)
	if err != nil {
		return err
	}
	v.Server = hello.Product + " " + hello.Version
	m, err := t.Management(o.Management)
	if err != nil {
		return err
	}
	defer m.Close()
	r := &RabbitView{Vhost: t.vhost, Management: m.String()}
	queues, total, err := m.Queues(ctx, t.vhost, o.Limit)
	if err != nil {
		return err
	}
	r.Queues, r.MoreQueues = queues, total-len(queues)
	exchanges, total, err := m.Exchanges(ctx, t.vhost, o.Limit)
	if err != nil {
		return err
	}
	r.Exchanges, r.MoreExchanges = exchanges, total-len(exchanges)
	bindings, err := m.Bindings(ctx, t.vhost)
	if err != nil {
		return err
	}
	r.Bindings = bindings[:min(len(bindings), o.Limit)]
	r.MoreBindings = len(bindings) - len(r.Bindings)
	r.sort()
	v.Rabbit = r
	return nil
}

func (r *RabbitView) sort() {
	slices.SortFunc(r.Queues, func(a, b Queue) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Exchanges, func(a, b Exchange) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Bindings, func(a, b Binding) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.RoutingKey, b.RoutingKey), cmp.Compare(a.Destination, b.Destination),
			cmp.Compare(a.DestinationType, b.DestinationType), cmp.Compare(jsonText(a.Arguments), jsonText(b.Arguments)))
	})
}
