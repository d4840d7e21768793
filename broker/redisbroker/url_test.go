package redisbroker

import (
	"strings"
	"testing"
	"time"

	"acklab/broker/redisclient"
)

func TestAURLSaysWhereAndHow(t *testing.T) {
	t.Parallel()
	at := func(host string) address {
		return address{Address: redisclient.Address{Host: host}, visibility: time.Hour, restore: 100 * time.Second}
	}
	local, all := at("localhost:6379"), at("h:1")
	local.DB = 3
	all.User, all.Password = "bob", "p@/w#"
	all.visibility, all.restore, all.renew, all.byTag, all.delay = 3*time.Second, 500*time.Millisecond, true, true, true
	words := at("h:1")
	for raw, want := range map[string]address{
		"redis://localhost/3": local,
		"redis://bob:p%40%2Fw%23@h:1/?visibility=3s&restore=500ms&lease=renew&settle=celery&delay=broker": all,
		"redis://h:1?visibility=1h&restore=100s&lease=fixed&settle=claim&delay=worker":                    words,
	} {
		got, err := parseURL(raw)
		want.Scheme = "redis"
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", raw, got, err, want)
		}
	}
	a, err := parseURL("rediss://:pw@redis.example:6390/2?visibility=2h")
	if err != nil || a.TLS == nil || a.TLS.ServerName != "redis.example" {
		t.Errorf("rediss: %+v, %v; want TLS for redis.example", a, err)
	}
	if got := a.String(); got != "rediss://redis.example:6390/2" {
		t.Errorf("in words: %s", got)
	}
}

func TestABadURLIsOneClearErrorWithoutThePassword(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                              "scheme",
		"asynq://:s3cret@h:1/0":                         "scheme",
		"redis://":                                      "no host",
		"redis://:s3cret@h:1/zero":                      "database",
		"redis://:s3cret@h:1/0?priority=high":           "priority=high: want ",
		"redis://:s3cret@h:1/0?pool=5":                  "unknown option",
		"redis://:s3cret@h:1/0?visibility=long":         "visibility=long: want a duration from 1s",
		"redis://:s3cret@h:1/0?visibility=999ms":        "visibility",
		"redis://:s3cret@h:1/0?visibility=9000h":        "visibility",
		"redis://:s3cret@h:1/0?restore=0":               "restore=0: want a duration",
		"redis://:s3cret@h:1/0?restore=25h":             "restore",
		"redis://:s3cret@h:1/0?lease=long":              "lease=long: want fixed or renew",
		"redis://:s3cret@h:1/0?settle=":                 "settle=: want claim or celery",
		"redis://:s3cret@h:1/0?delay=none":              "delay=none: want worker or broker",
		"redis://:s3cret@h:1/0?lease=renew&lease=renew": "want it once",
		"redis://h:1/0?password=s3cret&password=s3cret": "want it once",
		"redis://:s3cret@h:1/0?%zz":                     "query",
		"redis://:s3cret%zz@h:1/0":                      "cannot be read",
		"redis://h:1/0#s3cret":                          "fragment",
		"redis://bob@h:1/0":                             "password",
		"redis://bob:12/s3cret@h/0":                     "no number from 0",
		"redis://bob:12?s3cret@h/0":                     "@",
	} {
		_, err := parseURL(raw)
		switch {
		case err == nil:
			t.Errorf("%s: accepted", raw)
		case strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: the error holds the password or a line feed: %v", raw, err)
		case !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v; want a word on %q", raw, err, want)
		}
	}
}
