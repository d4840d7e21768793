package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/sirupsen/logrus"
	"go.yaml.in/yaml/v4"
)

// No container is started here. What can be known of the deployment without
// an engine is: docker-compose.yml is read as Docker Compose reads it, and
// whatever stands in two files at once is compared.

// deployment is the text of the files that have to fit together.
type deployment struct {
	compose, dockerfile, prometheus, ignore string
	project                                 *types.Project // of compose, once read
	targets                                 []string       // of prometheus, once read
}

// readDeployment reads the files as they are in the tree.
func readDeployment(t *testing.T) deployment {
	t.Helper()
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return deployment{
		compose: read("../docker-compose.yml"), dockerfile: read("Dockerfile"),
		prometheus: read("prometheus.yml"), ignore: read("../.dockerignore"),
	}
}

// faults says what is wrong with the deployment, one line each.
func (d deployment) faults(t *testing.T) []string {
	t.Helper()
	var err error
	if d.project, err = loadCompose(t, d.compose); err != nil {
		return []string{fmt.Sprintf("docker-compose.yml: %v", err)}
	}
	if d.targets, err = scrapeTargets(d.prometheus); err != nil {
		return []string{fmt.Sprintf("prometheus.yml: %v", err)}
	}
	var found []string
	for _, name := range d.project.ServiceNames() {
		s := d.project.Services[name]
		for _, rule := range []func(deployment, types.ServiceConfig) []string{
			image, ports, health, dependencies, mounts, servers,
		} {
			found = append(found, rule(d, s)...)
		}
		if ours(s) {
			found = append(found, command(t, d, s)...)
		}
	}
	found = append(found, scraped(d)...)
	return append(found, d.dockerfileFaults(t)...)
}

// ours tells whether the service is a process of acklab.
func ours(s types.ServiceConfig) bool { return s.Build != nil }

// loadCompose reads the text as docker compose would in the project's folder,
// with nothing but env ("NAME=value") set in the environment.
func loadCompose(t *testing.T, text string, env ...string) (*types.Project, error) {
	t.Helper()
	logrus.SetLevel(logrus.ErrorLevel)
	file := filepath.Join(t.TempDir(), "docker-compose.yml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	opts, err := cli.NewProjectOptions([]string{file}, cli.WithWorkingDirectory(root), cli.WithResolvedPaths(true), cli.WithEnv(env))
	if err != nil {
		return nil, err
	}
	return opts.LoadProject(t.Context())
}

// scrapeTargets are the host:port of every job of a Prometheus configuration.
func scrapeTargets(text string) ([]string, error) {
	var config struct {
		Jobs []struct {
			Static []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		return nil, err
	}
	var targets []string
	for _, job := range config.Jobs {
		for _, static := range job.Static {
			targets = append(targets, static.Targets...)
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("it has no static targets")
	}
	return targets, nil
}

func TestTheDeploymentHasNoFault(t *testing.T) {
	t.Parallel()
	for _, fault := range readDeployment(t).faults(t) {
		t.Error(fault)
	}
}

func TestPrometheusTakesItsConfiguration(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("there is no promtool here; make test installs it (apt-get install prometheus)")
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "config", "prometheus.yml").CombinedOutput(); err != nil {
		t.Errorf("promtool check config: %v\n%s", err, out)
	}
}

// A check that sees nothing passes too: each of these copies has one fault, and
// it must be found.
func TestAFaultInTheDeploymentIsFound(t *testing.T) {
	t.Parallel()
	for _, plant := range []struct {
		name     string
		in       func(*deployment) *string
		old, new string
		says     string
	}{
		{"no YAML", compose, "services:\n", "services: [\n", "docker-compose.yml: "},
		{"a word that Compose does not know", compose, "    hostname: rabbitmq", "    hosname: rabbitmq", "hosname"},
		{"a volume that nobody declared", compose, "  ledgers:\n", "", "undefined volume ledgers"},
		{"a dependency that does not exist", compose, "worker-redis-1: {condition", "worker-redis-9: {condition", "worker-redis-9"},
		{"a dependency that is only waited for to start", compose, "redis: {condition: service_healthy}", "redis: {condition: service_started}", "depends on redis with service_started"},
		{"a broker that is not waited for", compose, "    depends_on:\n      redis: {condition: service_healthy}\n\n  worker-redis-2", "\n  worker-redis-2", "worker-redis-1: redis of ACKLAB_BROKER_URL is not in depends_on"},
		{"a result store that is not waited for", compose, "      postgres: {condition: service_healthy}\n\n  worker-rabbitmq-2", "\n  worker-rabbitmq-2", "worker-rabbitmq-1: postgres of ACKLAB_RESULT_URL is not in depends_on"},
		{"the latest image", compose, "redis:8.10.1-alpine", "redis:latest", "redis: image redis:latest"},
		{"half a version", compose, "rabbitmq:4.3.5-management", "rabbitmq:4-management", "rabbitmq: image rabbitmq:4-management"},
		{"a major version", compose, "postgres:18.6-alpine", "postgres:18-alpine", "postgres: image postgres:18-alpine"},
		{"no tag", compose, "prom/prometheus:v3.14.0", "prom/prometheus", "prometheus: image prom/prometheus"},
		{"a port for the whole network", compose, `"127.0.0.1:${ACKLAB_REDIS_PORT:-6379}:6379"`, `"6379:6379"`, "redis: port 6379 is published on every address"},
		{"no health check", compose, `["CMD-SHELL", "redis-cli ping | grep -q PONG"]`, `["NONE"]`, "redis: no health check"},
		{"a health check of another port", compose, "-O - http://127.0.0.1:9100", "-O - http://127.0.0.1:9101", "worker-redis-1: the health check asks 127.0.0.1:9101"},
		{"an unknown flag", compose, "[worker, --acks-late,", "[worker, --acks-lte,", "unknown flag: --acks-lte"},
		{"a flag of the wrong kind", compose, "--rate=10", "--rate=fast", `"--rate"`},
		{"an unknown command", compose, "[producer, --task", "[produce, --task", "producer-redis: acklab refuses its command"},
		{"a word that is no flag", compose, "[worker, --acks-late,", "[worker, acks-late,", `"acks-late" is no flag`},
		{"metrics for nobody", compose, "--metrics-addr=0.0.0.0:9100", "--metrics-addr=:9100", "no other container reaches"},
		{"a grace period longer than the engine's", compose, "--grace=20s", "--grace=40s", "is killed after 30s, within its --grace of 40s"},
		{"a ledger that dies with its container", compose, "--ledger=/var/lib/acklab/worker-redis-1/", "--ledger=/tmp/worker-redis-1/", "worker-redis-1: the ledger /tmp/worker-redis-1/ is on no volume"},
		{"a ledger that exists at the second start", compose, "--ledger=/var/lib/acklab/worker-redis-1/", "--ledger=/var/lib/acklab/worker-redis-1", "worker-redis-1: the ledger /var/lib/acklab/worker-redis-1 is no folder"},
		{"two processes with one ledger", compose, "--ledger=/var/lib/acklab/worker-redis-1/", "--ledger=/var/lib/acklab/worker-redis-2/", "is also that of"},
		{"a broker that is no service", compose, "${ACKLAB_REDIS_AS:-asynq}://redis:", "${ACKLAB_REDIS_AS:-asynq}://valkey:", "names the host valkey"},
		{"a result store that is no service", compose, "redis://redis:6379/1", "redis://valkey:6379/1", "ACKLAB_RESULT_URL names the host valkey"},
		{"no result store", compose, "ACKLAB_RESULT_URL: postgres", "ACKLAB_RESULTS: postgres", "no ACKLAB_RESULT_URL"},
		{"no broker", compose, "ACKLAB_BROKER_URL: ${ACKLAB_REDIS_AS", "ACKLAB_BROKER: ${ACKLAB_REDIS_AS", "no ACKLAB_BROKER_URL"},
		{"another password", compose, "RABBITMQ_DEFAULT_PASS: ${ACKLAB_RABBITMQ_PASSWORD:-acklab}", "RABBITMQ_DEFAULT_PASS: ${ACKLAB_RABBITMQ_PASSWORD:-other}", "ACKLAB_BROKER_URL is not what RABBITMQ_DEFAULT_PASS"},
		{"PostgreSQL's other password", compose, "POSTGRES_PASSWORD: ${ACKLAB_POSTGRES_PASSWORD:-acklab}", "POSTGRES_PASSWORD: acklabs", "ACKLAB_RESULT_URL is not what POSTGRES_PASSWORD"},
		{"another database", compose, "POSTGRES_DB: acklab", "POSTGRES_DB: results", "ACKLAB_RESULT_URL is not what POSTGRES_DB"},
		{"a configuration that is not there", compose, "./deploy/prometheus.yml", "./deploy/prometeus.yml", "prometeus.yml"},
		{"a Redis that forgets", compose, `"--appendonly", "yes"`, `"--appendonly", "no"`, "redis: not started with --appendonly yes"},
		{"an older Go", dockerfile, "FROM golang:1.", "FROM golang:1.1", "go.mod has"},
		{"a floating base", dockerfile, "FROM alpine:3.24.1", "FROM alpine:3", "Dockerfile: image alpine:3"},
		{"the root user", dockerfile, "USER 10001:10001", "USER root", "runs as root"},
		{"a dynamic program", dockerfile, "CGO_ENABLED=0 ", "", "CGO_ENABLED=0"},
		{"a package that is not copied", ignored, "bench\n", "bench\nworker\n", "leaves out worker"},
		{"an embedded file that is not copied", ignored, "bench\n", "bench\ndocs\n", "leaves out docs with docs/reference-run/report.json"},
		{"no list of modules", ignored, "bench\n", "bench\ngo.sum\n", "leaves out go.sum"},
		{"a pattern that nobody checks", ignored, "bench\n", "bench\n*.go\n", "is no plain name"},
		{"a target that does not exist", prometheus, "worker-redis-1:", "worker-redis-7:", "worker-redis-7"},
		{"a target on another port", prometheus, "worker-redis-1:9100", "worker-redis-1:9101", "worker-redis-1:9101"},
		{"RabbitMQ's other port", prometheus, "rabbitmq:15692", "rabbitmq:15672", "rabbitmq:15672"},
		{"a process that nobody watches", compose, "  worker-rabbitmq-2:\n", "  worker-rabbitmq-3:\n", "worker-rabbitmq-3: no target"},
	} {
		t.Run(plant.name, func(t *testing.T) {
			t.Parallel()
			d := readDeployment(t)
			text := plant.in(&d)
			if !strings.Contains(*text, plant.old) {
				t.Fatalf("there is no %q to replace", plant.old)
			}
			*text = strings.Replace(*text, plant.old, plant.new, 1)
			found := d.faults(t)
			if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, plant.says) }) {
				t.Errorf("not found; the faults are %q, want one with %q", found, plant.says)
			}
		})
	}
}

func compose(d *deployment) *string    { return &d.compose }
func dockerfile(d *deployment) *string { return &d.dockerfile }
func prometheus(d *deployment) *string { return &d.prometheus }
func ignored(d *deployment) *string    { return &d.ignore }
