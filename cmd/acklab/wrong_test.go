package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// wrong is a command line that cannot be carried out.
type wrong struct {
	args string // words; a word in '' may hold spaces
	want string // what the error must say, a regular expression
}

// wrongInput runs each command line: one line on standard error, status 64, no
// password, nothing left.
func wrongInput(t *testing.T, env []string, all []wrong) {
	t.Helper()
	for _, w := range all {
		t.Run(w.args, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.env = env
			b.refuses(w.want, words(w.args)...)
		})
	}
}

func (b *box) refuses(want string, args ...string) {
	b.t.Helper()
	p := b.run(args...)
	said := p.stderr.String()
	if p.code() != 64 {
		b.t.Errorf("status %d; want 64", p.code())
	}
	if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "acklab: ") || !strings.HasSuffix(said, "\n") {
		b.t.Errorf("want one line on standard error, got:\n%s", said)
	}
	if !regexp.MustCompile(want).MatchString(said) {
		b.t.Errorf("it says %q; want %q in it", said, want)
	}
	if strings.Contains(said+p.stdout.String(), "s3cret") {
		b.t.Errorf("it shows the password: %s%s", &p.stdout, said)
	}
}

// words splits a command line.
func words(line string) []string {
	var all []string
	for _, w := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
		all = append(all, strings.Trim(w, "'"))
	}
	return all
}

func TestWhatIsUnknownIsNamedInOneLine(t *testing.T) {
	t.Parallel()
	wrongInput(t, nil, []wrong{
		{"nosuch", `unknown command "nosuch"`},
		{"--nosuch", "unknown flag: --nosuch"},
		{"worker --nosuch", "unknown flag: --nosuch"},
		{"worker nosuch", `takes no words`},
		{"amqp://u:s3cret@host/", "--broker"},
		{"worker amqp://u:s3cret@host/", "--broker"},
		{"run Z9", `unknown experiment, claim, group or suite "Z9"`},
		{"run nightly", `unknown experiment, claim, group or suite "nightly"`},
		{"run B2 nosuch", `"nosuch"`},
		{"run D4", "claim D4 is not built yet"},
		{"run d4", "claim D4 is not built yet"},
		{"run B2 --systems mysql", `unknown system "mysql": use memory, asynq, redis, rabbitmq`},
		{"run B2 --systems memory,celery", `unknown system "celery"`},
		{"run --trials -1", "trials -1: use 1 or more"},
		{"run --parallel -1", "parallel -1: use 1 or more"},
		{"run --trials many", `"many"`},
		{"explain", "explain needs the folder of a run and a task id"},
		{"explain runs/latest", "explain needs"},
		{"recheck", "recheck needs the folder of a run"},
		{"recheck a b", "recheck needs"},
		{"send", "send needs the name of a task"},
		{"send a b c", "send needs"},
		{"list quick", "takes no words"},
		{"selftest --plants nosuch", "nosuch"},
	})
}

func TestASettingThatMakesNoSenseIsNamedInOneLine(t *testing.T) {
	t.Parallel()
	wrongInput(t, []string{"ACKLAB_BROKER_URL=memory://"}, []wrong{
		{"send add '[4, 4'", "--args: .*character 6"},
		{"send add '{\"x\": 4}'", "want a JSON array such as"},
		{"send add '[4] [4]'", "--args"},
		{"send add four", "want a JSON array"},
		{"send add --kwargs [4]", "--kwargs: .*want a JSON object"},
		{"send add --kwargs '{\"x\": 1, \"x\": 2}'", `"x" comes twice`},
		{"send nosuch", `unknown task "nosuch": a worker here knows add, .*sleep`},
		{"send noop --expires -1s", "expires -1s is negative: use 0 for never"},
		{"send noop --countdown -5s", "countdown -5s is negative: use 0 for at once"},
		{"producer --countdown -1ns", "countdown -1ns is negative"},
		{"send noop --countdown 8760h", `countdown 8760h0m0s: at most 720h0m0s \(30 days\)`},
		{"producer --countdown 720h1s", "30 days"},
		{"send noop --countdown soon", `"soon"`},
		{"send noop --countdown 5s --eta 2026-11-21T07:31:43Z", "a countdown and an eta: use one"},
		{"send noop --eta tomorrow", `--eta: "tomorrow" is no moment: want date, time and zone, such as 2`},
		{"producer --eta '2026-11-21 07:31'", "--eta: .* is no moment"},
		{"send noop --eta 9998-11-21T07:31:43Z", "eta 9998-11-21T07:31:43.* is more than 30 days ahead"},
		{"send noop --countdown 10s --expires 5s", "expires after 5s, before its countdown of 10s"},
		{"producer --count 0", "count 0: use 1 or more"},
		{"producer --count -5", "count -5: use 1 or more"},
		{"producer --rate -1", "rate -1 is negative"},
		{"producer --rate NaN", "rate NaN"},
		{"producer --rate Inf", "rate \\+Inf"},
		{"producer --size -1", "size -1 is negative"},
		{"producer --count ten", `"ten"`},
		{"worker --concurrency 0", "concurrency 0: use 1 or more"},
		{"worker -c -2", "concurrency -2: use 1 or more"},
		{"worker --prefetch-multiplier -1", "prefetch multiplier -1"},
		{"worker --grace -1s", "grace period -1s"},
		{"worker --queues ,", "--queues names no queue"},
		{"worker --queues a,a", `"a" is named twice`},
		{"worker --queues a=0", "weight"},
		{"worker --queues a=3x", "weight"},
		{"worker --queues =3", "empty queue"},
		{"worker --order fair", `order "fair": use "strict" or "weighted"`},
		{"worker --loglevel loud", "use debug, info, warn or error"},
		{"worker --max-retries -1", "max retries -1: use 0 .none. or more; there is no retrying for ever"},
		{"worker --max-retries many", `"many"`},
		{"worker --max-retries 3000000000", "max retries 3000000000 is above 2147483647"},
		{"worker --retry-delay -5s", "retry delay -5s is negative"},
		{"worker --retry-delay 5", `"5"`},
		{"worker --retry-delay 800h", "retry delay 800h0m0s is above the longest delay 720h0m0s"},
		{"worker --retry-backoff -1s", "retry backoff -1s is negative"},
		{"worker --retry-backoff-max -1s", "retry backoff max -1s is negative"},
		{"worker --retry-backoff-max 800h", "retry backoff max 800h0m0s is above the longest"},
		{"worker --max-retries 40 --retry-backoff 1s --retry-backoff-max 0", "doubles beyond the longest delay 720h0m0s at retry 23 of 40: set a backoff max"},
		{"worker --retry-jitter=perhaps", `"perhaps"`},
		{"worker --retry-for teapot", `--retry-for "teapot": no such kind of error: use some of any, transient, panic, flaky`},
		{"worker --retry-for flaky,", `--retry-for "": no such kind`},
		{"worker --retry-for ''", "--retry-for names no kind of error"},
		{"worker --dont-retry-for teapot", `--dont-retry-for "teapot"`},
		{"inprocess --max-retries -1", "max retries -1"},
		{"inprocess --retry-for teapot", `--retry-for "teapot"`},
		{"worker --crash-at lunch", `no checkpoint "lunch" with early acknowledgement: use one of before-fetch`},
		{"worker --acks-late --crash-at ack-sent", `no checkpoint "ack-sent" with late`},
		{"worker --pause-at lunch", `no checkpoint "lunch"`},
		{"worker --crash-at mid --crash-nth 0", "a number from 1"},
		{"worker --metrics-addr nowhere", "--metrics-addr \"nowhere\" is not host:port"},
		{"inprocess --crash-at lunch", `no checkpoint "lunch"`},
		{"inprocess -c 0", "concurrency 0"},
	})
}

func TestABrokerURLThatOpensNothingIsSaidWithoutItsPassword(t *testing.T) {
	t.Parallel()
	wrongInput(t, nil, []wrong{
		{"worker", "no broker URL: give --broker or set ACKLAB_BROKER_URL"},
		{"send noop", "no broker URL"},
		{"producer", "no broker URL"},
		{"worker -b kafka://u:s3cret@host/", `scheme "kafka" is unknown: use one of memory://`},
		{"send noop -b kafka://u:s3cret@host/", `scheme "kafka" is unknown`},
		{"worker -b u:s3cret@host:5672", "has no scheme"},
		{"worker -b redis://:s3cret@host:6379/zero", "no number from 0"},
		{"worker -b redis://:s3cret@", "no host"},
		{"send noop -b redis://u:s3cret/x@host/0", "percent-encoded"},
		{"worker -b redis://:s3cret@host/0?visibility=10ms", "visibility=10ms: want a duration from 1s"},
		{"worker -b redis://:s3cret@host/0?restore=never", "restore=never: want a duration"},
		{"worker -b redis://:s3cret@host/0?lease=long", "lease=long: want fixed or renew"},
		{"producer -b redis://:s3cret@host/0?poll=50ms", `unknown option "poll"`},
		{"worker -b amqp://u:s3cret@host:99999/", "port"},
		{"worker -b amqp://u:s3cret/x@host/", "percent-encoded"},
		{"worker -b 'amqp://u:12/s3cret@host/'", "percent-encoded"},
		{"worker -b amqp://u:s3cret@/", "no host"},
		{"worker -b amqp://u:s3cret@host/?queue_type=stream", "classic or quorum"},
		{"producer -b asynq://:s3cret@host/zero", "database"},
		{"producer -b 'asynq://:s3 cret@host/0'", "asynq://"},
	})
}

func TestABrokerThatIsAwayIsSaid(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	var all []wrong
	for _, url := range []string{"asynq://:s3cret@" + addr + "/0", "redis://:s3cret@" + addr + "/0", "amqp://guest:s3cret@" + addr + "/"} {
		for _, cmd := range []string{"worker", "producer", "send noop"} {
			all = append(all, wrong{cmd + " -b " + url, "connection refused"})
		}
	}
	wrongInput(t, nil, all)
}

func TestAWrongPasswordIsSaidAndNotShown(t *testing.T) {
	t.Parallel()
	for name, addr := range map[string]func(*testing.T) string{
		"asynq": func(t *testing.T) string { return "asynq://:not-s3cret@" + securedAddr(t) + "/0" },
		"redis": func(t *testing.T) string { return "redis://:not-s3cret@" + securedAddr(t) + "/0" },
		"amqp":  func(t *testing.T) string { return "amqp://guest:not-s3cret@" + rabbitAddr(t) + "/" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := addr(t)
			for _, cmd := range []string{"worker", "producer", "send noop"} {
				newBox(t).refuses("(?i)password|denied|403|credentials", append(words(cmd), "-b", url)...)
			}
		})
	}
}

func TestAMessageThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		q := dial(t, url).newQueue()
		newBox(t).refuses("too-large", "send", "noop", "-b", url, "-q", q, "--size", fmt.Sprint(130<<20))
	})
}

func TestAPriorityThatDoesNotExistIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		q := dial(t, url).newQueue()
		newBox(t).refuses("priority 11 is outside 0 to 9", "send", "noop", "-b", url, "-q", q, "--priority", "11")
	})
}

func TestARouteThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "routes")
	if err := os.WriteFile(file, []byte("payments.*=high\nscraping low\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []string{"send noop", "producer", "inprocess"} {
		for given, want := range map[string]string{
			"--route payments":               `--route: route "payments": it has no =`,
			"--route a=b,priority=12":        "--route: .*priority 12 is outside 0 to 9",
			"--routes /nowhere/to/be/found":  "--routes: open /nowhere/to/be/found: no such file",
			"--routes " + file:               "--routes .*line 2: .*it has no =",
			"--priority 3,x":                 `invalid argument "3,x" for "--priority"`,
			"--priority 3,10 --route noop=q": "priority 10 is outside 0 to 9",
		} {
			newBox(t).refuses(want, append(words(cmd+" "+given), "-b", "memory://")...)
		}
	}
}

func TestAQueueThatNobodyMadeIsSaidAndHowToMakeIt(t *testing.T) {
	t.Parallel()
	url := "amqp://guest:guest@" + rabbitAddr(t) + "/"
	for _, cmd := range []string{"send noop", "producer -n 3"} {
		newBox(t).refuses("unroutable.*acklab worker --queues nobodys", append(words(cmd), "-b", url, "-q", "nobodys")...)
	}
}

func TestAMetricsPortThatIsTakenIsSaid(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for _, cmd := range []string{"worker -b memory://", "producer -b memory://", "inprocess", "run A4 --systems memory"} {
		b := newBox(t)
		b.refuses("the port is taken; choose another with --metrics-addr", append(words(cmd), "--metrics-addr", l.Addr().String())...)
		if left, _ := filepath.Glob(b.path("runs/2*")); len(left) > 0 {
			t.Errorf("it left %v", left)
		}
	}
}

func TestALedgerThatExistsIsRefusedAndLeftAsItIs(t *testing.T) {
	t.Parallel()
	for _, cmd := range []string{"worker -b memory://", "producer -b memory://", "inprocess"} {
		b := newBox(t)
		log := b.path("theirs.jsonl")
		if err := os.WriteFile(log, []byte("theirs"), 0o644); err != nil {
			t.Fatal(err)
		}
		b.refuses("create the ledger: .*file exists", append(words(cmd), "--ledger", log)...)
		if raw, _ := os.ReadFile(log); string(raw) != "theirs" {
			t.Errorf("it now holds %q", raw)
		}
	}
}

func TestAFolderThatCannotBeWrittenIsSaid(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	file := b.path("file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{file, filepath.Join(file, "below")} {
		b.refuses("choose another with --out", "run", "A4", "--systems", "memory", "--out", out)
	}
	b.refuses("make the ledger's folder", "worker", "-b", "memory://", "--ledger", filepath.Join(file, "below", "x.jsonl"))
}

func TestASecondRunInTheSameFolderIsRefused(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	out := b.path("runs")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(out, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil { // as a run holds it
		t.Fatal(err)
	}
	b.refuses("another run is writing to", "run", "A4", "--systems", "memory", "--out", out)
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	b.run("run", "A4", "--systems", "memory", "--out", out).ended(0)
}

func TestOfTwoRunsAtOnceOneIsRefused(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	out := b.path("runs")
	var pair [2]*running
	var both sync.WaitGroup
	for i := range pair {
		both.Go(func() { pair[i] = b.run("run", "B1", "--systems", "memory", "--out", out) })
	}
	both.Wait()
	if codes := pair[0].code() + pair[1].code(); codes != 64 {
		t.Errorf("they ended with %d and %d; want one 0 and one 64:\n%s\n%s", pair[0].code(), pair[1].code(), &pair[0].stderr, &pair[1].stderr)
	}
	if made, _ := filepath.Glob(filepath.Join(out, "2*")); len(made) != 1 {
		t.Errorf("the runs made %v", made)
	}
}

func TestARunThatCannotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	if err := os.WriteFile(b.path("file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(b.path("empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(b.path("broken"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.path("broken/report.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"nowhere", "file", "empty", "broken"} {
		b.refuses(dir, "recheck", b.path(dir))
		b.refuses(dir, "explain", b.path(dir), "3f2a")
	}
}
