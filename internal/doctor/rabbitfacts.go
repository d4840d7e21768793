package doctor

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	"acklab/internal/inspect"
)

// rabbitFacts are what a RabbitMQ server says of itself. A nil list was not
// told; its name is in unseen with the reason.
type rabbitFacts struct {
	hello    inspect.Hello
	version  version
	vhost    string
	loopback bool
	tls      bool
	user     string

	nodes     []inspect.Node
	alarms    []inspect.Alarm // of this moment
	asked     bool            // alarms are known
	queues    []inspect.Queue
	more      int // queues that were not looked at
	policies  []inspect.Policy
	consumers []inspect.Consumer
	unseen    []unseen
}

// unseen is something that the management API did not tell.
type unseen struct {
	what string
	err  error
}

func askRabbit(ctx context.Context, t *inspect.Target, management string) (rabbitFacts, error) {
	hello, err := t.Hello(ctx)
	if err != nil {
		return rabbitFacts{}, err
	}
	m, err := t.Management(management)
	if err != nil {
		return rabbitFacts{}, err
	}
	defer m.Close()
	f := rabbitFacts{hello: hello, version: parseVersion(hello.Version), vhost: t.VHost(), loopback: t.Loopback(), tls: t.TLS(), user: t.User()}
	return f, f.ask(ctx, m)
}

// ask asks the management API. Once it does not answer at all, or refuses this
// user altogether, there is no use in asking on.
func (f *rabbitFacts) ask(ctx context.Context, m *inspect.Management) error {
	if _, err := m.Overview(ctx); err != nil {
		return f.missed("alarms, queues, policies and consumers", err)
	}
	var err error
	if f.nodes, err = m.Nodes(ctx); err != nil {
		err = f.missed("alarms, memory and disk of the nodes", err)
	}
	if err == nil {
		if f.alarms, f.asked, err = m.Alarms(ctx); err != nil {
			err = f.missed("alarms of this moment", err)
		}
	}
	if err == nil {
		var total int
		f.queues, total, err = m.Queues(ctx, f.vhost, inspect.DefaultLimit)
		f.more = total - len(f.queues)
		if err != nil {
			err = f.missed("queues", err)
		}
	}
	if err == nil {
		if f.policies, err = m.Policies(ctx, f.vhost); err != nil {
			err = f.missed("policies", err)
		}
	}
	if err == nil {
		if f.consumers, err = m.Consumers(ctx, f.vhost); err != nil {
			err = f.missed("consumers", err)
		}
	}
	return err
}

// missed notes what the management API did not tell. Other errors, as of a ctx
// that has ended, are returned.
func (f *rabbitFacts) missed(what string, err error) error {
	if _, ok := errors.AsType[*inspect.ManagementError](err); !ok {
		return err
	}
	f.unseen = append(f.unseen, unseen{what, err})
	return nil
}

// diskFree is the number, not ok while the node does not know it.
func diskFree(n inspect.Node) (float64, bool) {
	free, err := strconv.ParseFloat(string(bytes.TrimSpace(n.DiskFree)), 64)
	return free, err == nil
}
