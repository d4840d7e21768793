package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"acklab/broker"
	"acklab/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachSchemeOpensItsDriver(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"memory://":                                     "memory",
		"asynq://127.0.0.1:1/0":                         "asynq",
		"asynqs://:pw@127.0.0.1:1/0":                    "asynq",
		"redis://127.0.0.1:1/0?lease=renew":             "redis",
		"rediss://u:pw@127.0.0.1:1/0":                   "redis",
		"amqp://guest:guest@127.0.0.1:1/":               "rabbitmq",
		"amqps://guest:guest@127.0.0.1:1/":              "rabbitmq",
		"amqp://u:p@127.0.0.1:1/v?queue_type=quorum":    "rabbitmq-quorum",
		"amqp://u:p%40ss@127.0.0.1:1/v%40w?heartbeat=2": "rabbitmq",
	} {
		b, err := Open(t.Context(), raw, broker.Options{})
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := b.Traits().System; got != want {
			t.Errorf("%s opens %s; want %s", raw, got, want)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("close %s: %v", raw, err)
		}
	}
}

func TestAURLThatOpensNothingSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                        "--broker",
		"localhost:6379":          `"localhost:6379" has no scheme`,
		"://host":                 "has no scheme",
		"kafka://host:9092":       `scheme "kafka" is unknown: use one of memory://, asynq://`,
		"http://host":             `scheme "http" is unknown`,
		"redis://":                "no host",
		"redis://h/0?lease=long":  "want fixed or renew",
		"rediss://u:s3cret@/0":    "no host",
		"asynq://":                "no host",
		"amqp://":                 "no host",
		"asynq://h/zero":          "database",
		"amqp://h/?queue_type=xy": "classic or quorum",
		"amqp://h:70000/":         "port",
	} {
		b, err := Open(t.Context(), raw, broker.Options{})
		if err == nil || b != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v; want one line with %q", raw, err, want)
		}
	}
}

// passwords are those that a URL is easily misread for.
var passwords = []string{
	"s3cret", "s3@cret", "s3%cret", "s3%25cret", "s3%zzcret", "s3 cret", "s3/cret", "s3?cret", "s3#cret", "s3:cret", "s3\tcret", "s3\ncret",
	"12/34s3cret", "1234/", "5?s3cret", "5#s3cret", "5/s3cret@x", "://s3cret", "s3cret://x", "sécret", "s3\"cret", "s3'cret", "[s3cret]", "s3;cret", "s3&cret=1", "\x00s3cret",
}

// leaks tells whether the text shows the password or a telling part of it.
func leaks(text, password string) bool {
	if strings.Contains(text, password) {
		return true
	}
	for _, part := range []string{"cret", "1234", "12/34", "s3"} {
		if strings.Contains(password, part) && strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// forms are the ways in which people write a URL with a password, right and
// wrong.
func forms(addr, password string) []string {
	var all []string
	for _, scheme := range []string{"asynq", "asynqs", "amqp", "amqps", "redis", "rediss", "kafka", "AMQP"} {
		for _, user := range []string{"", "bob"} {
			all = append(all,
				fmt.Sprintf("%s://%s:%s@%s/0", scheme, user, password, addr),
				fmt.Sprintf("%s://%s:%s@%s/0", scheme, user, url.QueryEscape(password), addr),
				fmt.Sprintf("%s://%s@%s/0", scheme, url.UserPassword(user, password), addr),
				fmt.Sprintf("%s://%s:%s@%s/0?what=1", scheme, user, password, addr),
				fmt.Sprintf("%s://%s:%s@%s/%%zz", scheme, user, password, addr),
				fmt.Sprintf("%s://%s:%s@/0", scheme, user, password),
				fmt.Sprintf("%s:%s:%s@%s", scheme, user, password, addr),
			)
		}
	}
	return append(all, "bob:"+password+"@"+addr, "//bob:"+password+"@"+addr+"/0", "bob:"+password+"@amqp://"+addr, "@"+password+"@"+addr)
}

func TestNoErrorEverShowsThePassword(t *testing.T) {
	t.Parallel()
	addr := refusing(t)
	for _, password := range passwords {
		for _, raw := range forms(addr, password) {
			b, err := Open(t.Context(), raw, broker.Options{})
			if err != nil {
				if leaks(err.Error(), password) {
					t.Errorf("%q: opening says %v", raw, err)
				}
				continue
			}
			for what, err := range callAll(t, b) {
				if err == nil {
					t.Errorf("%q: %s: nobody listens there, and it worked", raw, what)
				} else if leaks(err.Error(), password) {
					t.Errorf("%q: %s says %v", raw, what, err)
				}
			}
		}
	}
}

// callAll makes every call that meets the server, and closes the broker.
func callAll(t *testing.T, b broker.Broker) map[string]error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	m, err := task.New("noop", task.Options{Queue: "q"})
	if err != nil {
		t.Fatal(err)
	}
	errs := map[string]error{"declare": b.Declare(ctx, "q"), "publish": b.Publish(ctx, m)[0]}
	_, errs["consume"] = b.Consume(ctx, broker.Subscription{Sources: []broker.Source{{Queue: "q"}}, Prefetch: 1})
	_, errs["depth"] = b.Depth(ctx, "q")
	errs["census"] = errors.New("it yielded nothing")
	for _, err := range b.Census(ctx, "q") {
		errs["census"] = err
	}
	if err := b.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	return errs
}

// refusing is an address where nothing listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestARedactedURLIsTheURLWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"amqp://guest:s3cret@host:5672/v": "amqp://guest:xxxxx@host:5672/v",
		"amqp://host/v":                   "amqp://host/v",
		"localhost:6379":                  "localhost:6379",
		"amqp://u:s3@cret@host/":          "amqp://u:xxxxx@host/",
		"amqp://u:s3%zz@host/":            "...@host/",
		"u:s3cret@host:1":                 "...@host:1",
		"amqp://u:12/34@host/":            "...@host/",
	} {
		if got := Redacted(raw); got != want {
			t.Errorf("%s: %s; want %s", raw, got, want)
		}
	}
	for _, password := range passwords {
		for _, raw := range forms("host:1", password) {
			if got := Redacted(raw); leaks(got, password) {
				t.Errorf("%q becomes %q", raw, got)
			}
		}
	}
}
