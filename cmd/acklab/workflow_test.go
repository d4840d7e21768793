package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"acklab/internal/ledger"
)

func TestSendTakesAWorkflowAndWaitsForItsResults(t *testing.T) {
	t.Parallel()
	store := "redis://" + redisAddr(t) + "/3"
	onEach(t, func(t *testing.T, url string) {
		b, c := newBox(t), dial(t, url)
		q, log := c.newQueue(), b.path("worker.jsonl")
		w := b.start("worker", "-b", url, "-Q", q, "--result", store, "--ledger", log)
		w.await(log, ledger.Consuming, 1)
		b.env = []string{"ACKLAB_BROKER_URL=" + url, "ACKLAB_RESULT_URL=" + store}

		nested := b.path("nested.json")
		text := `{"chain": ["add [1, 1]", {"group": ["add [10]", "add [100]"]}, "xsum", {"task": "add", "args": [1000]}]}`
		if err := os.WriteFile(nested, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for name, sent := range map[string]struct {
			words []string
			want  string // the results, a line each
			owed  int
		}{
			"a chain":           {[]string{"--chain", "add [4, 4]", "add [10]", "add! [1, 1]", "add [5]"}, "SUCCESS 7\n", 4},
			"a group":           {[]string{"--group", "add [1, 1]", "2 * add [2, 2]"}, "SUCCESS 2\nSUCCESS 4\nSUCCESS 4\n", 3},
			"a chord":           {[]string{"--chord", "xsum", "add [1, 1]", "add [2, 2]"}, "SUCCESS 6\n", 3},
			"a nested one":      {[]string{"--workflow", nested}, "SUCCESS 1114\n", 5},
			"a task and a link": {[]string{"add", "[4, 4]", "--link", "echo"}, "SUCCESS 8\n", 2},
		} {
			out := b.path(strings.ReplaceAll(name, " ", "-") + ".jsonl")
			s := b.run(append([]string{"send", "-q", q, "--wait", "--ledger", out}, sent.words...)...)
			s.ended(0)
			n := strings.Count(sent.want, "\n")
			ids := strings.SplitAfterN(s.stdout.String(), "\n", n+1)
			if len(ids) != n+1 || ids[n] != sent.want {
				t.Errorf("%s printed %q; want %d ids and %q", name, &s.stdout, n, sent.want)
			}
			for _, id := range ids[:n] {
				if _, err := uuid.Parse(strings.TrimSpace(id)); err != nil {
					t.Errorf("%s: %q is no id", name, id)
				}
			}
			planned, attempted := lines(t, out, ledger.Planned), lines(t, out, ledger.Attempted)
			if len(planned) != sent.owed || planned[len(planned)-1].Seq > attempted[0].Seq {
				t.Errorf("%s: %d planned before the first publish; want %d", name, len(planned), sent.owed)
			}
		}

		f := b.run("send", "-q", q, "--wait", "--chain", "fail_n_times [100]", "add [1]", "--link-error", "echo")
		f.ended(1)
		if !strings.Contains(f.stdout.String(), "FAILURE UpstreamError") {
			t.Errorf("a chain that fails printed %q", &f.stdout)
		}
		w.signal(syscall.SIGTERM)
		w.ended(0)
	})
}

func TestADryRunDrawsTheWorkflowAndNeedsNoBroker(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	s := b.run("send", "--dry-run", "--chord", "xsum", "add [1, 1]", "20 * add [2, 2]")
	s.ended(0)
	for _, want := range []string{": 22 tasks", "chord\n├─ add ", "16 more", "└─ callback xsum "} {
		if !strings.Contains(s.stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &s.stdout)
		}
	}
}

func TestAProducerPublishesManyWorkflowsAndCopies(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		b, c := newBox(t), dial(t, url)
		q, out := c.newQueue(), b.path("producer.jsonl")
		p := b.run("producer", "-b", url, "-q", q, "--ledger", out, "--chain", "-n", "5", "--copies", "2", "noop", "noop!", "noop!")
		p.ended(0)
		if !strings.Contains(p.stdout.String(), "10 published: 10 confirmed") {
			t.Errorf("it said %q", &p.stdout)
		}
		flows := map[string]int{}
		for i, l := range lines(t, out, ledger.Planned) {
			flows[l.Detail[ledger.DetailWorkflow]]++
			if want := fmt.Sprintf("chain[%d]", i%3); l.Detail[ledger.DetailPlace] != want {
				t.Errorf("line %d is at %q; want %s", i, l.Detail[ledger.DetailPlace], want)
			}
		}
		messages, tasks := map[string]bool{}, map[string]bool{}
		for _, l := range lines(t, out, ledger.Confirmed) {
			messages[l.Message], tasks[l.Task] = true, true
		}
		if len(flows) != 5 || len(messages) != 10 || len(tasks) != 5 {
			t.Errorf("%d workflows are planned, %d messages of %d tasks are confirmed", len(flows), len(messages), len(tasks))
		}
	})
}

func TestWrongInputAboutWorkflowsIsOneLine(t *testing.T) {
	t.Parallel()
	wrongInput(t, nil, []wrong{
		{"send --chain", "a workflow needs its tasks, each one word"},
		{"send --chain --group noop", "use one of them"},
		{"send --chain 'add [4'", `chain\[0\], character 7: the JSON ends too soon`},
		{"send --chain noop 'add x'", `chain\[1\], character 5: unexpected "x"`},
		{"send --group noop nosuch", `group\[1\]: unknown task "nosuch": a worker here knows add`},
		{"send --chord '2 * noop' noop", "--chord: 2 of them, where one belongs"},
		{"send --chord xsum noop --link-error 'echo ['", "--link-error, character 7: the JSON ends too soon"},
		{"send --workflow nosuchfile", "--workflow: open nosuchfile: no such file"},
		{"send --workflow nosuchfile noop", `--workflow takes all from its file, and not "noop"`},
		{"send --group noop --link echo -b memory://", "a group has no one result for a link: use a chord"},
		{"send --chain noop --countdown 5s -b memory://", "a workflow has no countdown"},
		{"producer --chain -b memory://", "a workflow needs its tasks"},
		{"producer noop -b memory://", "takes no words beside its flags"},
		{"producer --copies -1 -b memory://", "copies -1: use 1 to 100"},
	})
}
