package redisstore_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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
	must(t, s.Claim(soon(t), 0, []scheduler.Tick{{Schedule: "good", Due: time.Unix(1_800_000_000, 0)}}))
	own := scheduler.Tick{Schedule: "good", Due: time.Unix(1_700_000_000, 0).UTC()} // by no hand
	c := r.Client()
	defer c.Close()
	for key, bad := range map[string]map[string]string{
		"entries": {"no queue": `7 {"name":"no queue","queue":""}`, "no revision": "{}", "another name": `7 {"name":"good"}`},
		"file":    {"no JSON": "{"},
		"states":  {"good": "[]"},
		"pending": {"claim": "5"},
		"requests": {"request": `{"due":"noon"}`, "nobody": `{"schedule":"","due":"2026-11-21T07:31:43Z","by_hand":true}`,
			"another id": `{"schedule":"good","due":"2026-11-21T07:31:43Z","by_hand":true}`, own.ID(): text(t, own)},
	} {
		must(t, c.HSet(soon(t), "acklab:schedule:"+key, bad).Err())
	}
	said := []string{`schedule \"no queue\": `, `schedule \"no revision\" `, `schedule \"another name\": `,
		`state of schedule \"good\"`, `claimed tick \"claim\"`, `requested tick \"request\"`,
		`requested tick \"nobody\"`, `requested tick \"another id\"`, `requested tick \"` + own.ID()}
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
	for _, word := range append(said[:len(said):len(said)], `copy of the file's schedule "no JSON"`) {
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

func TestOneBadLineOfAHistoryHidesNoOther(t *testing.T) {
	t.Parallel()
	url := database(t)
	s, c := open(t, url, redisstore.Options{}), client(t, url)
	for i, bad := range []string{"7", `{"tick":{"schedule":"b"}}`, ""} {
		tick := scheduler.Tick{Schedule: "a", Due: time.Unix(int64(i), 0)}
		must(t, s.Settle(soon(t), 0, []scheduler.Outcome{{Tick: tick, Kind: scheduler.Skipped, N: 1, Task: tick.ID()}}))
		must(t, c.LPush(soon(t), "acklab:schedule:history:a", bad).Err())
	}
	past, unreadable, err := s.History(soon(t), "a")
	must(t, err)
	if len(past) != 3 || unreadable == nil || strings.Count(unreadable.Error(), `of schedule "a": `) != 3 {
		t.Errorf("%v; unreadable: %v", past, unreadable)
	}
}

func TestAScheduleThatCannotBeReadIsNotRunNow(t *testing.T) {
	t.Parallel()
	url := database(t)
	s, c := open(t, url, redisstore.Options{}), client(t, url)
	must(t, c.HSet(soon(t), "acklab:schedule:entries", "bad", `7 {"name":"bad","task":"noop","every":"1ms"}`, "hidden", "7").Err())
	must(t, c.HSet(soon(t), "acklab:schedule:file", "hidden", text(t, hourly("hidden"))).Err())
	if _, err := s.RunNow(soon(t), "bad"); err == nil || !strings.Contains(err.Error(), "every: 1ms is outside") {
		t.Errorf("a tick of it: %v", err)
	}
	if _, err := s.RunNow(soon(t), "hidden"); err != nil {
		t.Errorf("a tick of the file's: %v", err)
	}
	if _, err := s.RunNow(soon(t), "none"); !errors.Is(err, redisstore.ErrAbsent) {
		t.Errorf("a tick of none: %v", err)
	}
	if asked, err := s.Requests(soon(t)); err != nil || len(asked) != 1 {
		t.Errorf("asked for are %v, %v", asked, err)
	}
}

// client sees the database as it is.
func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	must(t, err)
	c := redis.NewClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func text(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	must(t, err)
	return string(raw)
}

func TestAStateOfAnotherFormSpoilsNothingAndIsWrittenOver(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{`{"last_due":5}`, `{"last_due":null}`, `{"last_due":"noon"}`, `{"last_due":"2026-11-21T07:31:43Z"}`,
		`{"last_sent":{}}`, `{"since":null}`, `{"runs":"x"}`, `{"runs":null}`, `{"runs":1.5}`, `{"runs":-1}`, `{"runs":1e99}`,
		`{"timing":7}`, `{"last_task":false}`, `{"Last_Due":5}`, `{"pending":5}`, `null`, `7`, `[]`, `{`, ``} {
		t.Run(bad, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			var log journal
			s := open(t, url, redisstore.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			c := client(t, url)
			spoil := func() {
				must(t, c.HSet(soon(t), "acklab:schedule:states", "bad", bad).Err())
				if got := mustStates(t, s)["bad"]; !got.Damaged || got.Timing != "" || !got.LastDue.IsZero() || got.Runs != 0 {
					t.Errorf("read as %+v", got)
				}
			}
			both := func(check func(name string, state scheduler.State) bool) {
				t.Helper()
				states := mustStates(t, s)
				for _, name := range []string{"good", "bad"} {
					if !check(name, states[name]) || states[name].Damaged {
						t.Errorf("%s: %+v", name, states[name])
					}
				}
			}
			due := time.Unix(1_800_000_000, 0).UTC()
			ticks := []scheduler.Tick{{Schedule: "good", Due: due}, {Schedule: "bad", Due: due}}
			outcomes := make([]scheduler.Outcome, len(ticks))
			for i, tick := range ticks {
				outcomes[i] = scheduler.Outcome{Tick: tick, Kind: scheduler.Sent, At: due, N: 1, Task: tick.ID()}
			}

			spoil()
			must(t, s.Begin(soon(t), 0, map[string]scheduler.Beginning{"good": {Timing: "t", Since: due}, "bad": {Timing: "t", Since: due}}))
			both(func(_ string, got scheduler.State) bool { return got.Timing == "t" && got.Since.Equal(due) })
			spoil()
			must(t, s.Claim(soon(t), 0, ticks))
			both(func(_ string, got scheduler.State) bool { return got.LastDue.Equal(due) && len(got.Pending) == 1 })
			spoil()
			must(t, s.Settle(soon(t), 0, outcomes))
			both(func(name string, got scheduler.State) bool {
				return got.Runs == 1 && got.LastSent.Equal(due) && len(got.Pending) == 0
			})
			if n := strings.Count(log.String(), "state of schedule"); n != 3 {
				t.Errorf("said %d times:\n%s", n, log.String())
			}
		})
	}
}
