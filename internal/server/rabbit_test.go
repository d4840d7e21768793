package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestARabbitNodeLivesThroughItsFaults(t *testing.T) {
	t.Parallel()
	lives(t, startRabbit(t, keep(t), RabbitOptions{}))
}

// channel opens a connection and a channel with confirms, until the test ends.
func channel(t *testing.T, r *Rabbit) (*amqp.Connection, *amqp.Channel) {
	t.Helper()
	conn, err := amqp.Dial(r.URL(""))
	do(t, "dial", err)
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	do(t, "channel", err)
	do(t, "confirm", ch.Confirm(false))
	return conn, ch
}

func publish(t *testing.T, ch *amqp.Channel, queue string, n int) {
	t.Helper()
	for i := range n {
		c, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", queue, true, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: fmt.Append(nil, i)})
		do(t, "publish", err)
		if acked, err := c.WaitContext(t.Context()); err != nil || !acked {
			t.Fatalf("message %d: acked %v, %v", i, acked, err)
		}
	}
}

func TestRabbitKeepsPersistentMessagesThroughAKill(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := startRabbit(t, keep(t), RabbitOptions{})
	for round := range 3 {
		for _, kind := range []string{"classic", "quorum"} {
			_, ch := channel(t, r)
			name := fmt.Sprint(kind, round)
			_, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": kind})
			do(t, "declare", err)
			publish(t, ch, name, 100)
		}
		do(t, "settle", r.Settle(ctx))
		do(t, "kill", r.Kill(ctx))
		reboot(t, r)
	}
	for round := range 3 {
		for _, kind := range []string{"classic", "quorum"} {
			v, err := r.Queue(ctx, fmt.Sprint(kind, round))
			do(t, "queue", err)
			if v != (QueueView{Exists: true, Ready: 100}) {
				t.Errorf("%s queue %d, after SIGKILL: %+v, want 100 ready", kind, round, v)
			}
		}
	}
}

func TestRabbitTellsWhatItsQueuesHold(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := startRabbit(t, keep(t), RabbitOptions{})
	if v, err := r.Queue(ctx, "no such queue"); err != nil || v != (QueueView{}) {
		t.Errorf("no such queue: %+v, %v", v, err)
	}
	for kind, name := range map[string]string{"classic": "with 'quotes' \"and\" ünïcode", "quorum": "quorum.queue"} {
		conn, ch := channel(t, r)
		_, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": kind})
		do(t, "declare", err)
		look := func(want QueueView) {
			t.Helper()
			want.Exists = true
			deadline := time.Now().Add(30 * time.Second) // settlements have no reply
			for {
				v, err := r.Queue(ctx, name)
				do(t, "queue", err)
				if v == want {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s: %+v, want %+v", kind, v, want)
				}
				time.Sleep(time.Millisecond)
			}
		}
		publish(t, ch, name, 10)
		if v, err := r.Queue(ctx, name); err != nil || v != (QueueView{Exists: true, Ready: 10}) {
			t.Errorf("%s, at once after the confirms: %+v, %v", kind, v, err)
		}
		do(t, "qos", ch.Qos(3, 0, false))
		deliveries, err := ch.Consume(name, "", false, false, false, false, nil)
		do(t, "consume", err)
		for range 3 {
			<-deliveries
		}
		look(QueueView{Ready: 7, Unacked: 3, Consumers: 1})
		do(t, "close", conn.Close())
		look(QueueView{Ready: 10})
		do(t, "delete", r.DeleteQueue(ctx, name))
		do(t, "delete again", r.DeleteQueue(ctx, name))
		if v, err := r.Queue(ctx, name); err != nil || v.Exists {
			t.Errorf("%s, after its deletion: %+v, %v", kind, v, err)
		}
	}
}

func TestRabbitClosesTheConnectionsOfItsClients(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := startRabbit(t, keep(t), RabbitOptions{})
	for range 20 {
		do(t, "probe", r.Probe(ctx)) // its connection is no client's
		if n, err := r.CloseConnections(ctx, "nobody is there"); n != 0 || err != nil {
			t.Errorf("without clients: %d, %v", n, err)
		}
	}
	var closed []chan *amqp.Error
	for range 3 {
		conn, _ := channel(t, r)
		closed = append(closed, conn.NotifyClose(make(chan *amqp.Error, 1)))
	}
	if n, err := r.CloseConnections(ctx, "a \"test\" \\ of\nours"); n != 3 || err != nil {
		t.Errorf("closed %d, %v", n, err)
	}
	for _, c := range closed {
		if e := <-c; e == nil || e.Code != amqp.ConnectionForced || !strings.Contains(e.Reason, "a \"test\" \\ of\nours") {
			t.Errorf("the client was told %v", e)
		}
	}
	do(t, "probe", r.Probe(ctx))
}

func TestEvalAnswersFastAndClearly(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := startRabbit(t, keep(t), RabbitOptions{})
	for expr, want := range map[string]string{
		"1 + 1":                  "2",
		"X = 20, X + 1":          "21",
		"X = 3, X":               "3", // no binding stays
		`"a \"string\" \\"`:      `"a \"string\" \\"`,
		"{node(), \"äöü\"}":      fmt.Sprintf(`{'%s',"äöü"}`, r.Node()),
		"lists:seq(1, 3) % done": "",
	} {
		got, err := r.Eval(ctx, expr)
		if want == "" {
			if err == nil {
				t.Errorf("%s: %s, want an error", expr, got)
			}
		} else if err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", expr, got, err, want)
		}
	}
	for expr, says := range map[string]string{
		"1 +": "syntax error", "\"open": "string", "throw(ball)": "{throw,ball}", "exit(tired)": "{exit,tired}", "1/0": "badarith", "no:such()": "undef",
	} {
		if got, err := r.Eval(ctx, expr); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %s, %v, want an error with %q", expr, got, err, says)
		}
	}
	if _, err := r.Eval(shortly(t), "timer:sleep(60000)"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a long expression: %v", err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if got, err := r.Eval(ctx, fmt.Sprint(i)); err != nil || got != fmt.Sprint(i) {
				t.Errorf("%d: %s, %v", i, got, err)
			}
		})
	}
	wg.Wait()
	began := time.Now()
	for range 50 {
		if _, err := r.Eval(ctx, "ok"); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("one Eval: %v", time.Since(began)/50)

	dying := make(chan error, 1)
	go func() { _, err := r.Eval(ctx, "timer:sleep(60000)"); dying <- err }()
	do(t, "kill", r.Kill(ctx))
	if err := <-dying; !errors.Is(err, ErrNotRunning) {
		t.Errorf("the node died: %v, want ErrNotRunning", err)
	}
	if _, err := r.Eval(ctx, "ok"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("the node is dead: %v, want ErrNotRunning", err)
	}
}

func TestRabbitRunsItsPluginsAndNoEpmd(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := startRabbit(t, keep(t), RabbitOptions{
		Plugins: Plugins{Management: true, Prometheus: true},
		Conf:    []string{"consumer_timeout = 123000", "disk_free_limit.absolute = 20MB"},
	})
	for url, want := range map[string]string{
		"http://guest:guest@" + r.ManagementAddr() + "/api/overview": `"rabbitmq_version":"` + r.Version(ctx) + `"`,
		"http://guest:guest@" + r.ManagementAddr() + "/":             "<title>RabbitMQ Management</title>",
		"http://" + r.PrometheusAddr() + "/metrics":                  "rabbitmq_identity_info",
	} {
		if body := fetch(t, url); !strings.Contains(body, want) {
			t.Errorf("%s lacks %s: %.200s", url, want, body)
		}
	}
	for expr, want := range map[string]string{
		"application:get_env(rabbit, consumer_timeout)": "{ok,123000}",
		"rabbit_disk_monitor:get_disk_free_limit()":     "20000000",
		"rabbit_alarm:get_alarms()":                     "[]",
		"whereis(rabbit_epmd_monitor)":                  "undefined",
	} {
		if got, err := r.Eval(ctx, expr); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", expr, got, err, want)
		}
	}
	for _, line := range mentioning(r.Dir()) {
		if strings.Contains(line, "epmd") && !strings.Contains(line, "-start_epmd") {
			t.Errorf("an epmd runs: %s", line)
		}
	}
	cookie, err := os.ReadFile(r.Dir() + "/.erlang.cookie")
	do(t, "cookie", err)
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", r.Pid()))
	if got, err := r.Eval(ctx, "erlang:get_cookie()"); err != nil || strings.Trim(got, "'") != string(cookie) || strings.Contains(string(cmdline), string(cookie)) {
		t.Errorf("the cookie is not the node's own: %v", err)
	}
	if len(cmdline) > 0 && !strings.Contains(string(cmdline), "beam") {
		t.Errorf("process %d is not the virtual machine: %q", r.Pid(), cmdline)
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	do(t, "get", err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	do(t, "read", err)
	return string(body)
}

func TestRabbitTakesOtherPortsWhenOneIsTaken(t *testing.T) {
	t.Parallel()
	p := &thief{t: t, takes: 1}
	r := startRabbit(t, keep(t), RabbitOptions{pick: p.pick})
	if p.picks != 4 { // for clients and for Erlang, twice
		t.Errorf("%d ports picked, want 4", p.picks)
	}
	do(t, "probe", r.Probe(t.Context()))
}

func TestRabbitDoesNotMistakeAStrangerForItself(t *testing.T) {
	t.Parallel()
	m := keep(t)
	first := startRabbit(t, m, RabbitOptions{})
	impostor := &Rabbit{instance: first.instance, node: "rabbit-other@127.0.0.1", port: first.port}
	if err := impostor.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "was started") {
		t.Errorf("the probe took a stranger for its server: %v", err)
	}
}

func TestErlangIsAskedForItsLibraryFolder(t *testing.T) {
	t.Parallel()
	needRabbit(t)
	e, err := findErlang()
	do(t, "find", err)
	asked, err := askErlangLib(e.erl)
	do(t, "ask", err)
	if asked != e.lib {
		t.Errorf("derived %s, asked %s", e.lib, asked)
	}
}

func TestVersionsAreComparedByNumber(t *testing.T) {
	t.Parallel()
	ascending := []string{"2.6", "3.9.29", "3.10.8", "4.0.0-beta.1", "4.0.0-rc.1", "4.0.0", "4.0.1"}
	var found []Binary
	for i, v := range ascending {
		found = append(found, Binary{Version: v})
		if best, ok := newest(found); !ok || best.Version != v {
			t.Errorf("newest of %v: %v", ascending[:i+1], best)
		}
	}
	if _, ok := newest(nil); ok {
		t.Error("the newest of none")
	}
}
