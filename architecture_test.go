package acklab_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The layout is an argument: who may know whom. These tests hold it. Every rule
// is given planted breaches too, so that a rule which cannot fail fails here.

const module = "acklab"

// rooms are the parts that run as processes of their own. They meet through
// the broker, never in memory.
var rooms = []string{"producer", "worker", "scheduler", "dashboard", "experiments"}

// programs are the packages that may be called main, and why.
var programs = map[string]string{
	"cmd/acklab":         "the program",
	"deploy/testsummary": "build tool: the log of make test",
}

// clients are the client libraries of brokers and result stores.
var clients = []string{
	"github.com/hibiken/asynq",
	"github.com/redis/go-redis",
	"github.com/rabbitmq/amqp091-go",
	"github.com/jackc/pgx",
}

// clientUsers are the packages that may use a client library: each driver its
// own, what the drivers of one server share, and internal/server, which asks the servers that it starts whether they
// are ready.
var clientUsers = map[string][]string{
	"broker/asynqbroker":    {"github.com/hibiken/asynq", "github.com/redis/go-redis"},
	"broker/redisbroker":    {"github.com/redis/go-redis"},
	"broker/redisclient":    {"github.com/redis/go-redis"},
	"broker/rabbitbroker":   {"github.com/rabbitmq/amqp091-go"},
	"result/redisresult":    {"github.com/redis/go-redis"},
	"result/postgresresult": {"github.com/jackc/pgx"},
	"scheduler/redisstore":  {"github.com/redis/go-redis"},
	"internal/inspect":      {"github.com/redis/go-redis", "github.com/rabbitmq/amqp091-go"},
	"internal/server":       {"github.com/redis/go-redis", "github.com/rabbitmq/amqp091-go", "github.com/jackc/pgx"},
}

// sharedBy are the packages that several drivers of one server share, and those
// drivers; the scheduler's store is one too.
var sharedBy = map[string][]string{
	"broker/redisclient": {"broker/asynqbroker", "broker/redisbroker", "result/redisresult", "scheduler/redisstore"},
}

// goPackage is what go list says about a package.
type goPackage struct {
	ImportPath string
	Name       string
	Imports    []string // by its own files, without the tests'
	Deps       []string // the imports, their imports, and so on
}

// dir is the package's folder in the module, "." for the root.
func (p goPackage) dir() string { return dirOf(p.ImportPath) }

// dirOf returns the folder of one of our packages, "" for anybody else's.
func dirOf(importPath string) string {
	if importPath == module {
		return "."
	}
	dir, ours := strings.CutPrefix(importPath, module+"/")
	if !ours {
		return ""
	}
	return dir
}

// ours returns the folders of the packages of this module that p imports.
func (p goPackage) ours() []string {
	var dirs []string
	for _, i := range p.Imports {
		if d := dirOf(i); d != "" {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// within tells whether dir is root or lies below it.
func within(dir, root string) bool {
	return dir == root || strings.HasPrefix(dir, root+"/")
}

// room returns the room that dir belongs to, or "".
func room(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	if slices.Contains(rooms, first) {
		return first
	}
	return ""
}

// driver returns the folder of the driver that dir belongs to and of the
// contract that it fulfils, or "", "".
func driver(dir string) (root, contract string) {
	for _, contract := range []string{"broker", "result"} {
		rest, below := strings.CutPrefix(dir, contract+"/")
		name, _, _ := strings.Cut(rest, "/")
		if below && strings.HasSuffix(name, contract) {
			return contract + "/" + name, contract
		}
	}
	return "", ""
}

// importRules say who may import whom. breaches returns one sentence a breach.
var importRules = []struct {
	name     string
	breaches func(goPackage) []string
	planted  []goPackage
}{
	{
		name: "a room never imports another room",
		breaches: func(p goPackage) (found []string) {
			for _, d := range p.ours() {
				if here, there := room(p.dir()), room(d); here != "" && there != "" && here != there {
					found = append(found, "imports the room "+d)
				}
			}
			return found
		},
		planted: []goPackage{
			{ImportPath: "acklab/worker", Imports: []string{"acklab/producer"}},
			{ImportPath: "acklab/experiments", Imports: []string{"acklab/worker"}},
			{ImportPath: "acklab/dashboard/api", Imports: []string{"acklab/scheduler/store"}},
		},
	},
	{
		name: "a driver imports the contract, task, its client library and what drivers of its server share, nothing else of ours",
		breaches: func(p goPackage) (found []string) {
			root, contract := driver(p.dir())
			for _, d := range p.ours() {
				if root != "" && d != contract && !within(d, "task") && !within(d, root) && !slices.Contains(sharedBy[d], root) {
					found = append(found, "is a driver and imports "+d)
				}
				if drivers, shared := sharedBy[d]; shared && !slices.Contains(drivers, root) && !slices.Contains(drivers, p.dir()) {
					found = append(found, "imports "+d+", which drivers share")
				}
			}
			return found
		},
		planted: []goPackage{
			{ImportPath: "acklab/broker/redisbroker", Imports: []string{"acklab/internal/ledger"}},
			{ImportPath: "acklab/broker/asynqbroker", Imports: []string{"acklab/broker/redisbroker"}},
			{ImportPath: "acklab/broker/rabbitbroker/amqp", Imports: []string{"acklab/worker"}},
			{ImportPath: "acklab/result/redisresult", Imports: []string{"acklab/broker"}},
			{ImportPath: "acklab/broker/rabbitbroker", Imports: []string{"acklab/broker/redisclient"}},
			{ImportPath: "acklab/worker", Imports: []string{"acklab/broker/redisclient"}},
			{ImportPath: "acklab/scheduler", Imports: []string{"acklab/broker/redisclient"}},
			{ImportPath: "acklab/internal/inspect", Imports: []string{"acklab/broker/redisclient"}},
		},
	},
	{
		name: "broker, result and task import no room and nothing internal",
		breaches: func(p goPackage) (found []string) {
			if !within(p.dir(), "broker") && !within(p.dir(), "result") && !within(p.dir(), "task") {
				return nil
			}
			root, _ := driver(p.dir())
			for _, d := range p.ours() {
				if slices.Contains(sharedBy[d], root) {
					continue // of its server, and of no contract
				}
				if room(d) != "" || within(d, "internal") || within(p.dir(), "task") && within(d, "broker") ||
					within(p.dir(), "result") && within(d, "broker") || !within(p.dir(), "result") && within(d, "result") {
					found = append(found, "imports "+d)
				}
			}
			return found
		},
		planted: []goPackage{
			{ImportPath: "acklab/broker", Imports: []string{"acklab/internal/metrics"}},
			{ImportPath: "acklab/broker/brokertest", Imports: []string{"acklab/internal/server"}},
			{ImportPath: "acklab/task", Imports: []string{"acklab/worker"}},
			{ImportPath: "acklab/task/demo", Imports: []string{"acklab/broker"}},
			{ImportPath: "acklab/result/resulttest", Imports: []string{"acklab/internal/server"}},
			{ImportPath: "acklab/result", Imports: []string{"acklab/broker"}},
			{ImportPath: "acklab/result", Imports: []string{"acklab/broker/redisclient"}},
			{ImportPath: "acklab/result/redisresult", Imports: []string{"acklab/broker"}},
			{ImportPath: "acklab/result/postgresresult", Imports: []string{"acklab/broker/redisclient"}},
			{ImportPath: "acklab/broker", Imports: []string{"acklab/result"}},
		},
	},
	{
		name: "internal/check judges from ledgers alone: no network, no process, no chance",
		breaches: func(p goPackage) (found []string) {
			if !within(p.dir(), "internal/check") {
				return nil
			}
			for _, d := range p.ours() {
				if !within(d, "internal/ledger") && !within(d, "internal/check") {
					found = append(found, "imports "+d)
				}
			}
			for _, i := range slices.Concat(p.Imports, p.Deps) {
				if slices.Contains([]string{"net", "net/http", "os/exec", "math/rand", "math/rand/v2"}, i) {
					found = append(found, "depends on "+i)
				}
			}
			return found
		},
		planted: []goPackage{
			{ImportPath: "acklab/internal/check", Imports: []string{"acklab/broker"}},
			{ImportPath: "acklab/internal/check", Imports: []string{"os/exec"}},
			{ImportPath: "acklab/internal/check", Imports: []string{"acklab/internal/ledger"}, Deps: []string{"net"}},
			{ImportPath: "acklab/internal/check", Imports: []string{"math/rand/v2"}},
		},
	},
	{
		name: "only internal/connect knows the drivers",
		breaches: func(p goPackage) (found []string) {
			for _, d := range p.ours() {
				if root, _ := driver(d); root != "" && !within(p.dir(), root) && p.dir() != "internal/connect" {
					found = append(found, "imports the driver "+d)
				}
			}
			return found
		},
		planted: []goPackage{
			{ImportPath: "acklab/worker", Imports: []string{"acklab/broker/asynqbroker"}},
			{ImportPath: "acklab/cmd/acklab", Imports: []string{"acklab/broker/memorybroker"}},
			{ImportPath: "acklab/internal/server", Imports: []string{"acklab/result/redisresult"}},
		},
	},
	{
		name: "a client library is used by its driver only",
		breaches: func(p goPackage) (found []string) {
			user := p.dir()
			if root, _ := driver(user); root != "" {
				user = root
			}
			for _, i := range p.Imports {
				is := func(client string) bool { return within(i, client) }
				if slices.ContainsFunc(clients, is) && !slices.ContainsFunc(clientUsers[user], is) {
					found = append(found, "imports "+i)
				}
			}
			return found
		},
		planted: []goPackage{
			{ImportPath: "acklab/experiments", Imports: []string{"github.com/redis/go-redis/v9"}},
			{ImportPath: "acklab/scheduler", Imports: []string{"github.com/redis/go-redis/v9"}},
			{ImportPath: "acklab/broker/redisbroker", Imports: []string{"github.com/rabbitmq/amqp091-go"}},
			{ImportPath: "acklab/broker/brokertest", Imports: []string{"github.com/rabbitmq/amqp091-go"}},
			{ImportPath: "acklab/cmd/acklab", Imports: []string{"github.com/hibiken/asynq"}},
		},
	},
	{
		name: "cmd/acklab is the only program besides the build tools",
		breaches: func(p goPackage) []string {
			if p.Name == "main" && programs[p.dir()] == "" {
				return []string{"is a program"}
			}
			return nil
		},
		planted: []goPackage{{ImportPath: "acklab/worker", Name: "main"}, {ImportPath: "acklab/cmd/other", Name: "main"}},
	},
	{
		name: "a package is named after what is in it",
		breaches: func(p goPackage) (found []string) {
			for _, element := range append(strings.Split(p.dir(), "/"), p.Name) {
				if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "pkg", "misc", "shared", "base"}, element) {
					found = append(found, "is called "+element)
				}
			}
			return found
		},
		planted: []goPackage{
			{ImportPath: "acklab/internal/util"}, {ImportPath: "acklab/pkg/task"}, {ImportPath: "acklab/worker/x", Name: "helpers"},
		},
	},
}

func TestTheArrowsBetweenPackagesHold(t *testing.T) {
	t.Parallel()
	packages := listPackages(t)
	for _, rule := range importRules {
		t.Run(rule.name, func(t *testing.T) {
			for _, p := range rule.planted {
				if len(rule.breaches(p)) == 0 {
					t.Errorf("the rule does not see this breach: %+v", p)
				}
			}
			for _, p := range packages {
				for _, breach := range rule.breaches(p) {
					t.Errorf("%s %s", p.dir(), breach)
				}
			}
		})
	}
}

// listPackages returns all packages of this module. Rooms that do not exist
// yet are simply not among them.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,Imports,Deps", "./...")
	out, err := list.Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		t.Fatalf("go list ./...: %v\n%s", err, exit.Stderr)
	}
	var packages []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list ./...: %v", err)
		}
		packages = append(packages, p)
	}
	for _, must := range []string{"task", "broker", "internal/check"} { // else the list is not ours
		if !slices.ContainsFunc(packages, func(p goPackage) bool { return p.dir() == must && len(p.Imports) > 0 }) {
			t.Fatalf("go list ./... does not list %s with its imports", must)
		}
	}
	return packages
}
