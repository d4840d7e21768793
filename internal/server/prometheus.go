package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"acklab/internal/minder"
)

// retention is how long a Prometheus keeps what it saw. It lives as long as a
// run at most.
const retention = "24h"

// PrometheusOptions says how a Prometheus is configured.
type PrometheusOptions struct {
	// Interval is the time between two scrapes of a target, and nine tenths of it
	// are what a scrape may take; a second when 0.
	Interval time.Duration

	pick func() (int, error) // of a port; nil: freePorts
}

// Prometheus is a private prometheus server. It scrapes what Watch names, and
// nothing else. It is safe for concurrent use.
//
// Prometheus looks at a changed list of targets every five seconds: a job that
// Watch adds is scraped from then on, not at once.
type Prometheus struct {
	*instance
	binary   Binary
	port     int
	path     string // before all paths, so that no other Prometheus answers for this one
	interval time.Duration
	http     *http.Client

	watching sync.Mutex // one change of the configuration at a time
	jobs     map[string][]ScrapeTarget
}

// ScrapeTarget is one page of metrics.
type ScrapeTarget struct {
	// Instance is the value of its label instance.
	Instance string
	// Addr is its host:port.
	Addr string
	// Path of the page; /metrics when empty.
	Path string
	// Interval between its scrapes; that of the options when 0.
	Interval time.Duration
}

// StartPrometheus starts a Prometheus that watches nothing yet, and returns
// when it answers. A *MissingError says that there is no prometheus.
func StartPrometheus(ctx context.Context, m *minder.Minder, o PrometheusOptions) (*Prometheus, error) {
	binary, err := FindPrometheus()
	if err != nil {
		return nil, err
	}
	if o.Interval == 0 {
		o.Interval = time.Second
	}
	if o.pick == nil {
		o.pick = freePorts.pick
	}
	var p *Prometheus
	err = bootOnFreePorts(ctx, func() (*instance, error) {
		if p, err = newPrometheus(m, binary, o); err != nil {
			return nil, fmt.Errorf("start prometheus: %w", err)
		}
		return p.instance, nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func newPrometheus(m *minder.Minder, binary Binary, o PrometheusOptions) (*Prometheus, error) {
	port, err := o.pick()
	if err != nil {
		return nil, err
	}
	dir, err := m.TempDir("prometheus")
	if err != nil {
		return nil, err
	}
	p := &Prometheus{
		binary: binary, port: port, path: "/lab-" + strings.ToLower(rand.Text()[:8]), interval: o.Interval,
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, jobs: map[string][]ScrapeTarget{},
	}
	argv := []string{
		binary.Path, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=" + retention,
		"--web.listen-address=" + p.Addr(), "--web.external-url=" + p.URL(), "--web.enable-lifecycle", "--log.level=warn",
	}
	p.instance = &instance{
		m: m, name: "prometheus", dir: dir, logs: []string{"prometheus.out"}, pause: 5 * time.Millisecond,
		spec: func() minder.Spec {
			return minder.Spec{Name: "prometheus", Argv: argv, Dir: dir, Env: []string{"GOMAXPROCS=1"}, Stdout: "prometheus.out", Stderr: "prometheus.out"}
		},
		try: p.try,
	}
	return p, p.writeConfig()
}

// Version is that of the program.
func (p *Prometheus) Version() string { return p.binary.Version }

// Addr is its host:port.
func (p *Prometheus) Addr() string { return loopback(p.port) }

// URL is the page of its user interface, and what all paths of its HTTP API
// begin with. It ends with a slash.
func (p *Prometheus) URL() string { return "http://" + p.Addr() + p.path + "/" }

// LogFile is its log.
func (p *Prometheus) LogFile() string { return filepath.Join(p.dir, "prometheus.out") }

// Interval is how often it scrapes each target.
func (p *Prometheus) Interval() time.Duration { return p.interval }

// Watch has it scrape the targets under the label job from now on, beside the
// other jobs, which are not disturbed. It returns when Prometheus has taken the
// change over; the first scrape comes within five seconds after that. A job of
// the same name is replaced.
func (p *Prometheus) Watch(ctx context.Context, job string, targets []ScrapeTarget) error {
	p.watching.Lock()
	defer p.watching.Unlock()
	p.jobs[job] = slices.Clone(targets)
	return p.failed("watch with", p.reload(ctx))
}

// Forget ends the scrapes of a job. What it saw stays.
func (p *Prometheus) Forget(ctx context.Context, job string) error {
	p.watching.Lock()
	defer p.watching.Unlock()
	delete(p.jobs, job)
	return p.failed("end a watch with", p.reload(ctx))
}

func (p *Prometheus) reload(ctx context.Context) error {
	if err := p.writeConfig(); err != nil {
		return err
	}
	_, err := p.do(ctx, http.MethodPost, "-/reload", nil)
	return err
}

// The parts of prometheus.yml that are needed; JSON is YAML.
type (
	promConfig struct {
		Global promGlobal `json:"global"`
		Scrape []promJob  `json:"scrape_configs"`
	}
	promGlobal struct {
		Interval string `json:"scrape_interval"`
		Timeout  string `json:"scrape_timeout"`
	}
	promJob struct {
		Name    string       `json:"job_name"`
		Honor   bool         `json:"honor_timestamps"`
		Targets []promTarget `json:"static_configs"`
	}
	promTarget struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
)

func (p *Prometheus) writeConfig() error {
	config := promConfig{Global: promGlobal{Interval: ms(p.interval), Timeout: ms(p.interval * 9 / 10)}}
	for _, name := range slices.Sorted(maps.Keys(p.jobs)) {
		job := promJob{Name: name}
		for _, t := range p.jobs[name] {
			job.Targets = append(job.Targets, promTarget{[]string{t.Addr}, t.labels()})
		}
		config.Scrape = append(config.Scrape, job)
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.dir, "prometheus.yml"), append(text, '\n'), 0o600)
}

// labels are those of the target; Prometheus reads its own settings from some.
func (t ScrapeTarget) labels() map[string]string {
	labels := map[string]string{"instance": t.Instance, "__metrics_path__": cmp.Or(t.Path, "/metrics")}
	if t.Interval > 0 {
		labels["__scrape_interval__"], labels["__scrape_timeout__"] = ms(t.Interval), ms(t.Interval*9/10)
	}
	return labels
}

func ms(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// Query asks the HTTP API: path as in "query_range", and decodes the data of
// the answer into it. An error says what Prometheus itself said, or that it
// does not answer.
func (p *Prometheus) Query(ctx context.Context, path string, params url.Values, into any) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	body, err := p.do(ctx, http.MethodPost, "api/v1/"+path, params)
	if err != nil {
		return p.failed("query", err)
	}
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return p.failed("query", fmt.Errorf("its answer is no JSON: %w", err))
	}
	return p.failed("query", json.Unmarshal(answer.Data, into))
}

// do sends one request to the process of the last boot.
func (p *Prometheus) do(ctx context.Context, method, path string, form url.Values) ([]byte, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	proc := p.Process()
	if !proc.Alive() {
		return nil, ErrNotRunning
	}
	ctx, release := whileAlive(ctx, proc)
	defer release()
	return p.request(ctx, method, path, form)
}

func (p *Prometheus) request(ctx context.Context, method, path string, form url.Values) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.URL()+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.http.Do(r)
	if err != nil {
		return nil, because(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, because(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", resp.Status, said(body))
	}
	return body, nil
}

// said is the error in an answer: Prometheus' JSON, or plain text.
func said(body []byte) string {
	var answer struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err == nil && answer.Error != "" {
		return answer.Error
	}
	return strings.TrimSpace(string(body))
}

// try succeeds when ours, which alone knows its path, is ready to serve.
func (p *Prometheus) try(ctx context.Context, proc *minder.Process) error {
	if !proc.Alive() {
		return errors.New("it has ended")
	}
	attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := p.request(attempt, http.MethodGet, "-/ready", nil)
	return err
}

// FreePort is a loopback port on which nobody listens at this moment, below
// those that the kernel gives to outgoing connections. It is handed out once.
func FreePort() (int, error) { return freePorts.pick() }
