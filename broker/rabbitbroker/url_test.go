package rabbitbroker

import (
	"context"
	"strings"
	"testing"
	"time"

	"acklab/broker"
)

func TestAURLSaysWhatQueuesAndPublishesAreLike(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]address{
		"amqp://guest:s3cret@127.0.0.1:5672/": {"amqp://guest:s3cret@127.0.0.1:5672/", "amqp://guest@127.0.0.1:5672/", false, 10 * time.Second, true, true, true, false},
		"amqp://host":                         {"amqp://host", "amqp://host", false, 10 * time.Second, true, true, true, false},
		"amqps://u:p%40ss@host/v%2Fh?queue_type=quorum&heartbeat=2":  {"amqps://u:p%40ss@host/v%2Fh", "amqps://u@host/v/h", true, 2 * time.Second, true, true, true, false},
		"amqp://host/?durable=false&persistent=false&confirms=false": {"amqp://host/", "amqp://host/", false, 10 * time.Second, false, false, false, false},
		"amqp://host/?queue_type=quorum&durable=true&confirms=false": {"amqp://host/", "amqp://host/", true, 10 * time.Second, true, true, false, false},
		"amqp://host/lab?queue_type=classic":                         {"amqp://host/lab", "amqp://host/lab", false, 10 * time.Second, true, true, true, false},
	} {
		got, err := parseURL(raw)
		if err != nil || got != want {
			t.Errorf("parseURL(%q) = %+v, %v; want %+v", raw, got, err, want)
		}
	}
}

func TestABadURLIsOneErrorWithoutThePassword(t *testing.T) {
	t.Parallel()
	for raw, says := range map[string]string{
		"redis://u:s3cret@host/":                              "scheme",
		"amqp://u:s3cret@host/?priority=high":                 "priority=high: use on or off",
		"amqp://u:s3cret@host/?priority=on&queue_type=quorum": "priority=on: a quorum queue has no x-max-priority",
		"amqp:///":                                                 "no host",
		"amqp:u:s3cret@host":                                       "no host",
		"amqp://u:s3cret@host:0/":                                  "port",
		"amqp://u:s3cret@host:99999/":                              "port",
		"amqp://u:s3cret/x@host/":                                  "percent-encoded",
		"amqp://u:s3cret@host/%zz":                                 "cannot be parsed",
		"amqp://u:s3cret@host/ v":                                  "blanks",
		"amqp://u:x#s3cret@host/":                                  "percent-encoded",
		"amqp://u:s3cret@host/#a":                                  "#",
		"amqp://u:s3cret@host/?queue_type=stream":                  "queue_type=stream",
		"amqp://u:s3cret@host/?heartbeat=0":                        "heartbeat=0",
		"amqp://u:s3cret@host/?heartbeat=soon":                     "heartbeat=soon",
		"amqp://u:s3cret@host/?heartbeat=70000":                    "heartbeat=70000",
		"amqp://u:s3cret@host/?heartbeat=1&heartbeat=2":            "2 times",
		"amqp://u:s3cret@host/?cacertfile=x":                       "unknown parameter cacertfile",
		"amqp://u:s3cret@host/?durable=no":                         "durable=no: use true or false",
		"amqp://u:s3cret@host/?persistent=":                        "persistent=: use true or false",
		"amqp://u:s3cret@host/?confirms=1":                         "confirms=1: use true or false",
		"amqp://u:s3cret@host/?confirm=false":                      "there are queue_type, heartbeat, durable, persistent, confirms and priority",
		"amqp://u:s3cret@host/?queue_type=quorum&durable=false":    "a quorum queue is always durable",
		"amqp://u:s3cret@host/?persistent=false&queue_type=quorum": "a quorum queue stores every message",
		"amqp://u:s3cret@host/?a=%zz":                              "after ?",
	} {
		_, err := Open(context.Background(), raw, broker.Options{})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Open(%q) = %v; want an error that says %q and not the password", raw, err, says)
		}
	}
}

func TestAQueueWithoutPrioritiesIsSaidToPriorityOn(t *testing.T) {
	t.Parallel()
	r := calmNode(t)
	plain, urgent := openURL(t, r.URL(""), broker.Options{}), openURL(t, r.URL("")+"?priority=on", broker.Options{})
	for _, c := range []struct {
		queue        string
		first, other *Broker
	}{{"plain-first", plain, urgent}, {"urgent-first", urgent, plain}} {
		if err := c.first.Declare(t.Context(), c.queue); err != nil {
			t.Fatal(err)
		}
		err := c.other.Declare(t.Context(), c.queue)
		if err == nil || !strings.Contains(err.Error(), "it exists with other properties; delete it, or say in the URL what it was made with (queue_type, durable, priority)") || !strings.Contains(err.Error(), c.queue) {
			t.Errorf("%s: %v", c.queue, err)
		}
	}
}
