package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Table is a set of arguments or settings of RabbitMQ. An empty one is written
// as [] by some versions.
type Table map[string]any

// UnmarshalJSON reads an object, or an empty list as an empty table.
func (t *Table) UnmarshalJSON(data []byte) error {
	*t = nil
	if data = bytes.TrimSpace(data); len(data) == 0 || data[0] != '{' {
		return nil
	}
	return json.Unmarshal(data, (*map[string]any)(t))
}

// Overview is the server as a whole.
type Overview struct {
	Product string `json:"product_name"`
	Version string `json:"rabbitmq_version"`
	Erlang  string `json:"erlang_version"`
	Cluster string `json:"cluster_name"`
}

// Node is one server of a cluster. Sizes are in bytes.
type Node struct {
	Name          string          `json:"name"`
	Running       bool            `json:"running"`
	MemoryAlarm   bool            `json:"mem_alarm"`
	DiskAlarm     bool            `json:"disk_free_alarm"`
	MemoryUsed    float64         `json:"mem_used"`
	MemoryLimit   float64         `json:"mem_limit"`
	DiskFree      json.RawMessage `json:"disk_free"` // a number, or a word while it is unknown
	DiskFreeLimit float64         `json:"disk_free_limit"`
	FilesUsed     float64         `json:"fd_used"`
	FilesTotal    float64         `json:"fd_total"`
	Partitions    []string        `json:"partitions"`
}

// Queue is one queue. Counts are statistics that the server renews every five
// seconds; nil: none yet.
type Queue struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Durable    bool   `json:"durable"`
	AutoDelete bool   `json:"auto_delete"`
	Exclusive  bool   `json:"exclusive"`
	Arguments  Table  `json:"arguments"`
	Policy     string `json:"policy,omitempty"`
	// Effective is what the policies set, arguments not included.
	Effective Table  `json:"effective_policy_definition,omitempty"`
	State     string `json:"state,omitempty"`
	Ready     *int64 `json:"messages_ready"`
	Unacked   *int64 `json:"messages_unacknowledged"`
	Consumers *int64 `json:"consumers"`
}

// Exchange is one exchange. The default one has an empty name.
type Exchange struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Durable    bool   `json:"durable"`
	AutoDelete bool   `json:"auto_delete"`
	Internal   bool   `json:"internal"`
	Arguments  Table  `json:"arguments"`
}

// Binding leads from an exchange to a queue or another exchange.
type Binding struct {
	Source          string `json:"source"`
	Destination     string `json:"destination"`
	DestinationType string `json:"destination_type"`
	RoutingKey      string `json:"routing_key"`
	Arguments       Table  `json:"arguments"`
}

// Policy gives settings to the queues or exchanges whose names match.
type Policy struct {
	Name       string `json:"name"`
	Pattern    string `json:"pattern"`
	ApplyTo    string `json:"apply-to"`
	Definition Table  `json:"definition"`
}

// Consumer is one subscription to a queue.
type Consumer struct {
	Tag         string `json:"consumer_tag"`
	AckRequired bool   `json:"ack_required"`
	Prefetch    int64  `json:"prefetch_count"` // 0: no limit
	Queue       struct {
		Name string `json:"name"`
	} `json:"queue"`
}

// Overview asks for the server as a whole.
func (m *Management) Overview(ctx context.Context) (Overview, error) {
	var o Overview
	err := m.get(ctx, "overview?columns=product_name,rabbitmq_version,erlang_version,cluster_name", &o)
	return o, err
}

// Alarm is a resource that a node is short of.
type Alarm struct {
	Node     string `json:"node"`
	Resource string `json:"resource"` // memory, disk
}

// Alarms asks the cluster for the alarms of this moment; the nodes' own fields
// are statistics, up to five seconds old. It needs the tag monitoring. known is
// false for a server that is too old to be asked.
func (m *Management) Alarms(ctx context.Context) (alarms []Alarm, known bool, err error) {
	const resource = "health/checks/alarms"
	status, body, err := m.fetch(ctx, resource)
	switch {
	case err != nil:
		return nil, false, err
	case status == http.StatusNotFound:
		return nil, false, nil
	case status == http.StatusServiceUnavailable:
		status = http.StatusOK // the check has failed, and says why
	}
	var answer struct {
		Alarms []Alarm `json:"alarms"`
	}
	err = m.read(resource, status, body, &answer)
	return answer.Alarms, err == nil, err
}

// Nodes asks for the nodes of the cluster. It needs the tag monitoring.
func (m *Management) Nodes(ctx context.Context) ([]Node, error) {
	var nodes []Node
	err := m.get(ctx, "nodes", &nodes)
	return nodes, err
}

// Policies asks for the policies of a virtual host. It needs the tag policymaker.
func (m *Management) Policies(ctx context.Context, vhost string) ([]Policy, error) {
	var all []Policy
	err := m.get(ctx, "policies/"+url.PathEscape(vhost), &all)
	return all, err
}

// Consumers asks for the consumers of a virtual host.
func (m *Management) Consumers(ctx context.Context, vhost string) ([]Consumer, error) {
	var all []Consumer
	err := m.get(ctx, "consumers/"+url.PathEscape(vhost), &all)
	return all, err
}

// Queues asks for the queues of a virtual host, at most limit of them in the
// order of their names, and how many there are.
func (m *Management) Queues(ctx context.Context, vhost string, limit int) ([]Queue, int, error) {
	return pages[Queue](ctx, m, "queues/"+url.PathEscape(vhost), limit)
}

// Exchanges is like Queues, for exchanges.
func (m *Management) Exchanges(ctx context.Context, vhost string, limit int) ([]Exchange, int, error) {
	return pages[Exchange](ctx, m, "exchanges/"+url.PathEscape(vhost), limit)
}

// Bindings asks for the bindings of a virtual host, those that every queue has
// with the default exchange included.
func (m *Management) Bindings(ctx context.Context, vhost string) ([]Binding, error) {
	var all []Binding
	err := m.get(ctx, "bindings/"+url.PathEscape(vhost), &all)
	return all, err
}

// pageSize is the largest that the management API takes.
const pageSize = 500

// pages reads a listing until its end or the limit.
func pages[T any](ctx context.Context, m *Management, resource string, limit int) (all []T, total int, err error) {
	for page := 1; ; page++ {
		var answer struct {
			Items []T `json:"items"`
			Pages int `json:"page_count"`
			Total int `json:"filtered_count"`
		}
		size := min(pageSize, limit)
		if err := m.get(ctx, fmt.Sprintf("%s?page=%d&page_size=%d&sort=name", resource, page, size), &answer); err != nil {
			return nil, 0, err
		}
		all = append(all, answer.Items...)
		if page >= answer.Pages || len(all) >= limit {
			return all[:min(len(all), limit)], max(answer.Total, len(all)), nil
		}
	}
}
