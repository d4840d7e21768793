package redisstore_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/scheduler"
	"acklab/scheduler/redisstore"
)

// journal is a log that a test reads.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func TestWhatCannotBeReadIsLeftOutAndSaidOnce(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	var log journal
	s := open(t, r.URL(""), redisstore.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := s.Add(soon(t), hourly("good"))
	must(t, err)
	wanted, err := s.RunNow(soon(t), "good")
	must(t, err)
	l := mustLead(t, s)
	must(t, s.Claim(soon(t), l.Term(), []scheduler.Tick{{Schedule: "good", Due: time.Unix(1_800_000_000, 0)}}))
	c := r.Client()
	defer c.Close()
	for key, bad := range map[string]map[string]string{
		"entries":  {"no queue": `7 {"name":"no queue","queue":""}`, "no revision": "{}", "another name": `7 {"name":"good"}`},
		"file":     {"no JSON": "{"},
		"states":   {"good": "[]"},
		"pending":  {"claim": "5"},
		"requests": {"request": `{"due":"noon"}`},
	} {
		must(t, c.HSet(soon(t), "acklab:schedule:"+key, bad).Err())
	}
	said := []string{`schedule \"no queue\": `, `schedule \"no revision\" `, `schedule \"another name\": `,
		`state of schedule \"good\"`, `claimed tick \"claim\"`, `requested tick \"request\"`}
	look := func() {
		t.Helper()
		must(t, c.Incr(soon(t), "acklab:schedule:revision").Err()) // else nothing is read again
		if all := load(t, s); len(all) != 1 || all[0].Name != "good" {
			t.Errorf("loaded %v", all)
		}
		if states := mustStates(t, s); len(states["good"].Pending) != 1 {
			t.Errorf("states %v", states)
		}
		if ticks, err := s.Requests(soon(t)); err != nil || len(ticks) != 1 || !ticks[0].Equal(wanted) {
			t.Errorf("requests %v, %v", ticks, err)
		}
	}
	for range 3 {
		look()
	}
	for _, word := range said {
		if n := strings.Count(log.String(), word); n != 1 {
			t.Errorf("%s is said %d times:\n%s", word, n, log.String())
		}
	}

	all, unreadable, err := s.List(soon(t))
	must(t, err)
	if len(all) != 1 || all[0].Schedule.Name != "good" {
		t.Errorf("listed %v", all)
	}
	for _, word := range append(said[:5:5], `copy of the file's schedule "no JSON"`) {
		if word = strings.ReplaceAll(word, `\`, ""); unreadable == nil || !strings.Contains(unreadable.Error(), word) {
			t.Errorf("%q is not said of the list: %v", word, unreadable)
		}
	}

	// One that was mended and broken again is said again; one that is removed is gone.
	must(t, s.Delete(soon(t), "no queue"))
	look()
	must(t, c.HSet(soon(t), "acklab:schedule:entries", "no queue", `9 {"name":"no queue","queue":""}`).Err())
	look()
	if n := strings.Count(log.String(), said[0]); n != 2 {
		t.Errorf("%s is said %d times after it came again", said[0], n)
	}
}
