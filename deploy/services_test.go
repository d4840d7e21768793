package deploy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/internal/minder"
	"acklab/internal/server"
	"acklab/internal/server/servertest"

	"github.com/compose-spec/compose-go/v2/types"
)

// The processes of docker-compose.yml are started here, without containers:
// with the commands and the environment of the file, on private servers. Only
// addresses, the ledger's folder and the length of the load are other ones.

const shortLoad = 20

// private points the URL of a service's server at a private one.
type private func(*url.URL)

func at(addr string) private { return func(u *url.URL) { u.Host = addr } }

func TestTheProcessesOfRedisWork(t *testing.T) {
	t.Parallel()
	for _, as := range []string{"asynq", "redis"} {
		t.Run(as, func(t *testing.T) {
			t.Parallel()
			r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFEverySec})
			var env []string
			if as != "asynq" { // which is what the file says
				env = []string{"ACKLAB_REDIS_AS=" + as}
			}
			servers := map[string]private{"redis": at(r.Addr())}
			processesWork(t, "redis", as, servers, env...)
			ofTwoSchedulersOneSends(t, servers, env...)
		})
	}
}

func TestTheProcessesOfRabbitMQWork(t *testing.T) {
	t.Parallel()
	r, p := servertest.Rabbit(t, server.RabbitOptions{}), servertest.Postgres(t, server.PostgresOptions{})
	results, err := url.Parse(p.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	processesWork(t, "rabbitmq", "amqp", map[string]private{
		"rabbitmq": func(u *url.URL) { u.Host, u.User = r.Addr(), url.UserPassword("guest", "guest") },
		"postgres": func(u *url.URL) { u.Host, u.User, u.Path = results.Host, results.User, results.Path },
	})
}

// processesWork starts the workers of a broker in the file, then its producer,
// and waits until the workers have finished what it published, and stored that.
func processesWork(t *testing.T, broker, scheme string, servers map[string]private, env ...string) {
	project, err := loadCompose(t, readDeployment(t).compose, env...)
	if err != nil {
		t.Fatal(err)
	}
	path, err := acklab()
	if err != nil {
		t.Fatal(err)
	}
	m := servertest.Minder(t)
	var workers []*started
	for _, n := range []string{"1", "2"} {
		w := start(t, m, path, project.Services["worker-"+broker+"-"+n], servers)
		w.await(t, ledger.Consuming, 1)
		w.isHealthy(t)
		workers = append(workers, w)
	}
	if url := *workers[0].service.Environment["ACKLAB_BROKER_URL"]; !strings.HasPrefix(url, scheme+"://") {
		t.Errorf("its broker is %s; want %s", url, scheme)
	}
	p := start(t, m, path, project.Services["producer-"+broker], servers, fmt.Sprintf("--count=%d", shortLoad))
	p.isHealthy(t)
	p.await(t, ledger.Confirmed, shortLoad)
	within(t, func() error {
		finished, stored := 0, 0
		for _, w := range workers {
			finished, stored = finished+w.count(t, ledger.Finished), stored+w.count(t, ledger.ResultStored)
		}
		if finished < shortLoad || stored < shortLoad {
			return fmt.Errorf("the workers have finished %d of %d, and stored %d", finished, shortLoad, stored)
		}
		return nil
	})
	for _, w := range workers {
		w.stopsPolitely(t)
	}
}

// ofTwoSchedulersOneSends adds a schedule as the file says, and looks who sends it.
func ofTwoSchedulersOneSends(t *testing.T, servers map[string]private, env ...string) {
	project, err := loadCompose(t, readDeployment(t).compose, env...)
	if err != nil {
		t.Fatal(err)
	}
	path, err := acklab()
	if err != nil {
		t.Fatal(err)
	}
	m := servertest.Minder(t)
	one := start(t, m, path, project.Services["scheduler-redis-1"], servers)
	two := start(t, m, path, project.Services["scheduler-redis-2"], servers)
	one.isHealthy(t)
	two.isHealthy(t)
	store, err := url.Parse(*one.service.Environment["ACKLAB_STORE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	servers["redis"](store)
	add := exec.CommandContext(t.Context(), path, "schedule", "add", "tick", "--task", "add", "--args", "[4, 4]", "--every", "100ms")
	add.Env = append(os.Environ(), "ACKLAB_STORE_URL="+store.String())
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	within(t, func() error {
		if a, b := one.count(t, ledger.Confirmed), two.count(t, ledger.Confirmed); a < 3 && b < 3 || a > 0 && b > 0 {
			return fmt.Errorf("one has sent %d ticks, the other %d", a, b)
		}
		return nil
	})
	one.stopsPolitely(t)
	two.stopsPolitely(t)
}

// started is one service as a process.
type started struct {
	*minder.Process
	service types.ServiceConfig
	ledger  string // its folder
	log     string
}

func start(t *testing.T, m *minder.Minder, path string, s types.ServiceConfig, servers map[string]private, more ...string) *started {
	t.Helper()
	if s.Name == "" {
		t.Fatal("docker-compose.yml has no such service")
	}
	var env []string
	for name, value := range s.Environment {
		u, err := url.Parse(*value)
		if err != nil {
			t.Fatal(err)
		}
		servers[u.Hostname()](u)
		env = append(env, name+"="+u.String())
	}
	dir := t.TempDir()
	p := &started{service: s, ledger: filepath.Join(dir, "ledger"), log: filepath.Join(dir, "log")}
	argv := slices.Concat([]string{path}, s.Command, []string{"--metrics-addr=127.0.0.1:0", "--ledger=" + p.ledger + "/"}, more)
	var err error
	p.Process, err = m.Run(minder.Spec{Name: s.Name, Argv: argv, Env: env, Stdout: p.log, Stderr: p.log})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var announced = regexp.MustCompile(`url=http://(\S+)/metrics`)

// isHealthy asks what the health check of the file asks.
func (p *started) isHealthy(t *testing.T) {
	t.Helper()
	check := p.service.HealthCheck.Test[1]
	_, wanted, _ := strings.Cut(check, "grep -q '^")
	wanted, _, _ = strings.Cut(wanted, "'")
	within(t, func() error {
		said := announced.FindStringSubmatch(p.said(t))
		if said == nil {
			return fmt.Errorf("%s does not say where its metrics are: %s", p.Name(), p.said(t))
		}
		body, err := get(t.Context(), "http://"+said[1]+"/metrics")
		if err == nil && !strings.Contains("\n"+body, "\n"+wanted) {
			err = fmt.Errorf("%s shows no line %q, which its health check looks for", p.Name(), wanted)
		}
		return err
	})
}

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, res.Status)
	}
	return string(body), err
}

// await waits until the process has written n lines of the event.
func (p *started) await(t *testing.T, event ledger.Event, n int) {
	t.Helper()
	within(t, func() error {
		if have := p.count(t, event); have < n {
			return fmt.Errorf("%s has %d of %d lines %s; it said: %s", p.Name(), have, n, event, p.said(t))
		}
		return nil
	})
}

// count counts the lines of an event in all ledgers of the service.
func (p *started) count(t *testing.T, event ledger.Event) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.ledger, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		f, err := ledger.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range f.Lines {
			if l.Event == event {
				n++
			}
		}
	}
	return n
}

// stopsPolitely sends what the engine sends, and waits as long as it does.
func (p *started) stopsPolitely(t *testing.T) {
	t.Helper()
	exit, err := p.Terminate(t.Context(), time.Duration(*p.service.StopGracePeriod))
	if err != nil || exit.Code != 0 {
		t.Errorf("%s was stopped: %v, %v; it said: %s", p.Name(), exit, err, p.said(t))
	}
	if p.count(t, ledger.Closed) != 1 {
		t.Errorf("%s has not closed its ledger", p.Name())
	}
}

func (p *started) said(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// within tries until there is no error, half a minute at most.
func within(t *testing.T, try func() error) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
