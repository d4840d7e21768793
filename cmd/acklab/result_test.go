package main

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"acklab/internal/ledger"
	"acklab/internal/server"
)

func TestSendWaitsForTheResultAndResultShowsItLater(t *testing.T) {
	t.Parallel()
	store := "redis://" + redisAddr(t) + "/3"
	onEach(t, func(t *testing.T, url string) {
		b, c := newBox(t), dial(t, url)
		q, log := c.newQueue(), b.path("worker.jsonl")
		w := b.start("worker", "-b", url, "-Q", q, "--result", store, "--ledger", log)
		w.await(log, ledger.Consuming, 1)
		b.env = []string{"ACKLAB_BROKER_URL=" + url, "ACKLAB_RESULT_URL=" + store}

		s := b.run("send", "add", "[4, 4]", "-q", q, "--wait")
		s.ended(0)
		id, said, _ := strings.Cut(s.stdout.String(), "\n")
		if said != "SUCCESS 8\n" {
			t.Errorf("send --wait printed %q", &s.stdout)
		}
		r := b.run("result", id)
		r.ended(0)
		if r.stdout.String() != "SUCCESS 8\n" {
			t.Errorf("result printed %q", &r.stdout)
		}
		j := b.run("result", id, "--json")
		j.ended(0)
		if !strings.Contains(j.stdout.String(), `"status":"SUCCESS","result":8,"traceback":null`) {
			t.Errorf("result --json printed %q", &j.stdout)
		}

		f := b.run("send", "fail_n_times", "[9]", "-q", q, "--wait")
		f.ended(1)
		if !strings.Contains(f.stdout.String(), "FAILURE FlakyError: try 1 of 9 that fail") {
			t.Errorf("a failed task printed %q", &f.stdout)
		}
		w.signal(syscall.SIGTERM)
		w.ended(0)

		late := b.run("send", "noop", "-q", q, "--wait", "--timeout", "200ms")
		late.ended(2)
		if !strings.Contains(late.stdout.String(), "PENDING") || !strings.Contains(late.stderr.String(), "has not ended in time") {
			t.Errorf("a task that nobody runs printed %q and said %q", &late.stdout, &late.stderr)
		}
	})
}

func TestResultsInPostgreSQLAreWaitedForAndShownLater(t *testing.T) {
	t.Parallel()
	url := "redis://" + redisAddr(t) + "/1?visibility=10m"
	store := ownPostgres(t).URL("")
	b, c := newBox(t), dial(t, url)
	q, log := c.newQueue(), b.path("worker.jsonl")
	b.env = []string{"ACKLAB_BROKER_URL=" + url, "ACKLAB_RESULT_URL=" + store}
	b.start("worker", "-Q", q, "--ledger", log).await(log, ledger.Consuming, 1)
	for _, want := range []struct {
		task, args, line string
		status           int
	}{
		{"add", "[4, 4]", "SUCCESS 8\n", 0},
		{"fail_n_times", "[9]", "FAILURE FlakyError: try 1 of 9 that fail\n", exitFailed},
	} {
		s := b.run("send", want.task, want.args, "-q", q, "--wait")
		s.ended(want.status)
		id, said, _ := strings.Cut(s.stdout.String(), "\n")
		if said != want.line {
			t.Errorf("send --wait %s printed %q, want %q", want.task, &s.stdout, want.line)
		}
		r := b.run("result", id)
		r.ended(want.status)
		if r.stdout.String() != want.line {
			t.Errorf("result of %s printed %q, want %q", want.task, &r.stdout, want.line)
		}
	}
	if r := b.run("result", uuid.NewString()); r.stdout.String() != "PENDING\n" {
		t.Errorf("the result of an unknown task is %q, want PENDING", &r.stdout)
	}
}

// What Celery's tasks say of themselves (update_state), and what an older Celery
// or another program has stored, no store of ours would take.
func TestResultShowsWhatCeleryAloneWouldStore(t *testing.T) {
	t.Parallel()
	r := ownRedis(t, server.RedisOptions{})
	for id, c := range map[string]struct {
		stored, line, json string
		status             int
	}{
		"t1": {
			`{"status": "PROGRESS", "result": {"done": 3}, "traceback": null, "children": [], "date_done": null, "task_id": "t1"}`, "PROGRESS",
			`{"status":"PROGRESS","result":{"done":3},"traceback":null,"children":[],"date_done":null,"task_id":"t1"}`, 0,
		},
		"t2": {
			`{"status": "FAILURE", "result": "boom", "traceback": null, "children": []}`, "FAILURE boom",
			`{"status":"FAILURE","result":{"exc_type":"","exc_message":["boom"],"exc_module":null},"traceback":null,"children":[],"date_done":null,"task_id":"t2"}`, exitFailed,
		},
		"t3": {
			`{"status": "FAILURE", "result": {"exc_type": "NotRegistered", "exc_message": ["adn"], "exc_module": "celery.exceptions"}, "traceback": null, "children": []}`,
			"FAILURE NotRegistered: adn\nthe worker that took it knows no task of that name",
			`{"status":"FAILURE","result":{"exc_type":"NotRegistered","exc_message":["adn"],"exc_module":"celery.exceptions"},"traceback":null,"children":[],"date_done":null,"task_id":"t3"}`, exitFailed,
		},
	} {
		command(t, r, "SET", "celery-task-meta-"+id, c.stored)
		b := newBox(t)
		b.env = []string{"ACKLAB_RESULT_URL=redis://" + r.Addr() + "/0"}
		for want, more := range map[string][]string{c.line: nil, c.json: {"--json"}} {
			p := b.run(append([]string{"result", id}, more...)...)
			p.ended(c.status)
			if p.stdout.String() != want+"\n" {
				t.Errorf("result %v printed\n%s; want\n%s", more, &p.stdout, want)
			}
		}
	}
}

func TestCtrlCEndsWhatAsksAStoreThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, more := range []string{"--json", "--wait"} {
		t.Run(more, func(t *testing.T) {
			t.Parallel()
			mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
			if err != nil {
				t.Fatal(err)
			}
			defer mute.Close()
			r := newBox(t).start("result", uuid.NewString(), "--result", "redis://"+mute.Addr().String()+"/0", "--timeout", "50s", more)
			conn, err := mute.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Read(make([]byte, 1)); err != nil { // it has asked
				t.Fatal(err)
			}
			began := time.Now()
			r.signal(syscall.SIGINT)
			r.ended(exitInterrupted)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it ended after %v", took)
			}
		})
	}
}

func TestAnUnknownTaskReadsPending(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	r := b.run("result", uuid.NewString(), "--result", "redis://"+redisAddr(t)+"/3")
	r.ended(0)
	if r.stdout.String() != "PENDING\n" {
		t.Errorf("it printed %q", &r.stdout)
	}
}

func TestWrongInputAboutResultsIsOneLine(t *testing.T) {
	t.Parallel()
	wrongInput(t, nil, []wrong{
		{"result", "needs the id of a task"},
		{"result 3f2a", "no result store: give --result or set ACKLAB_RESULT_URL"},
		{"result 3f2a --result ftp://h", `scheme "ftp" is unknown`},
		{"result 3f2a --result redis://u:s3cret@127.0.0.1:1/x", "database"},
		{"result 3f2a --result redis://:s3cret@127.0.0.1:1/0", "unavailable"},
		{"result 3f2a --result memory:// --timeout 0s", "--timeout 0s: use more than 0"},
		{"send add [4,4] -b memory:// --wait", "no result store"},
		{"worker -b memory:// --crash-at result-stored", "there is no result store"},
		{"worker -b memory:// --result redis://", "host"},
	})
}
