package asynqbroker

import (
	"strings"
	"testing"
	"time"

	"acklab/broker/redisclient"
)

func TestAURLSaysWhereAndHow(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]address{
		"asynq://localhost":                     {Address: redisclient.Address{Host: "localhost:6379"}, poll: DefaultPoll, forward: DefaultForward},
		"asynq://127.0.0.1:7000/3":              {Address: redisclient.Address{Host: "127.0.0.1:7000", DB: 3}, poll: DefaultPoll, forward: DefaultForward},
		"asynq://:pw@h:1/0?poll=1s":             {Address: redisclient.Address{Host: "h:1", Password: "pw"}, poll: time.Second, forward: DefaultForward},
		"asynq://h:1?forward=5s":                {Address: redisclient.Address{Host: "h:1"}, poll: DefaultPoll, forward: 5 * time.Second},
		"asynq://h:1?forward=1ms&poll=1m":       {Address: redisclient.Address{Host: "h:1"}, poll: time.Minute, forward: time.Millisecond},
		"asynq://bob:p%40%2Fw%23@[::1]:6380/1/": {Address: redisclient.Address{Host: "[::1]:6380", User: "bob", Password: "p@/w#", DB: 1}, poll: DefaultPoll, forward: DefaultForward},
	} {
		got, err := parseURL(raw)
		want.Scheme = "asynq"
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", raw, got, err, want)
		}
	}
	a, err := parseURL("asynqs://:pw@redis.example:6390/2")
	if err != nil || a.TLS == nil || a.TLS.ServerName != "redis.example" {
		t.Errorf("asynqs: %+v, %v; want TLS for redis.example", a, err)
	}
	if got := a.String(); got != "asynqs://redis.example:6390/2" {
		t.Errorf("in words: %s", got)
	}
}

func TestABadURLIsOneClearErrorWithoutThePassword(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                      "scheme",
		"redis://:s3cret@h:1/0":                 "scheme",
		"asynq://":                              "no host",
		"asynq:h:1":                             "no host",
		"asynq://:s3cret@/0":                    "no host",
		"asynq://:s3cret@h:1/zero":              "database",
		"asynq://:s3cret@h:1/-1":                "database",
		"asynq://:s3cret@h:1/0?priority=high":   "priority=high: want ",
		"asynq://:s3cret@h:1/0?pool=5":          "unknown option",
		"asynq://:s3cret@h:1/0?poll=fast":       "poll",
		"asynq://:s3cret@h:1/0?poll=0s":         "poll",
		"asynq://:s3cret@h:1/0?poll=1s&poll=2s": "poll",
		"asynq://:s3cret@h:1/0?forward=61s":     "forward=61s: want one duration",
		"asynq://:s3cret@h:1/0?forward=never":   "forward",
		"asynq://:s3cret@h:1/0?%zz":             "query",
		"asynq://:s3cret/x@h:1/0":               "cannot be read",
		"asynq://:s3cret%zz@h:1/0":              "cannot be read",
		"asynq://:s3cret@h:port/0":              "cannot be read",
		"asynq://:x#s3cret@h:1/0":               "",
		"asynq://h:1/0#s3cret":                  "fragment",
		"asynq://bob@h:1/0":                     "password",
	} {
		_, err := parseURL(raw)
		switch {
		case err == nil:
			t.Errorf("%s: accepted", raw)
		case strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%s: the error holds the password: %v", raw, err)
		case !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v; want a word on %q", raw, err, want)
		}
	}
}
