package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"acklab/internal/celery"
	"acklab/internal/server"
)

// Tool is a program that the laboratory uses.
type Tool struct {
	Name string `json:"name"`
	// For says what it is used for.
	For string `json:"for"`
	// Needed: without it cells of the catalogue are not run.
	Needed  bool   `json:"needed"`
	Version string `json:"version,omitempty"`
	// Path is the program; for RabbitMQ its home folder.
	Path string `json:"path,omitempty"`
	// Missing is why it is not there; empty: it is.
	Missing string `json:"missing,omitempty"`
	// Install is the command that gets it.
	Install string `json:"install,omitempty"`
}

// PythonVariable names another Python than the one of the system.
const PythonVariable = celery.PythonVariable

func findTools(ctx context.Context) []Tool {
	tools := []Tool{redisTool(), rabbitTool(), erlangTool(), postgresTool()}
	if runtime.GOOS == "linux" {
		tools = append(tools, program(ctx, Tool{Name: "strace", For: "counting what is synced to disk", Needed: true, Install: install("strace", "")}, "-V", "strace"))
	}
	return append(tools,
		prometheusTool(),
		program(ctx, Tool{Name: "chromium", For: "the test of the web page", Install: install("chromium", "--cask chromium")}, "--version",
			"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless_shell", "headless-shell",
			"/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
		celeryTool(ctx))
}

func redisTool() Tool {
	b, err := server.FindRedis()
	return found(Tool{Name: "redis-server", For: "the systems asynq and redis", Needed: true}, b, err)
}

func rabbitTool() Tool {
	b, err := server.FindRabbit()
	return found(Tool{Name: "rabbitmq-server", For: "the systems rabbitmq and rabbitmq-quorum", Needed: true}, b, err)
}

func postgresTool() Tool {
	b, err := server.FindPostgres()
	return found(Tool{Name: "postgres", For: "the result store postgres", Needed: true}, b, err)
}

func found(t Tool, b server.Binary, err error) Tool {
	t.Path, t.Version = b.Path, b.Version
	if err == nil {
		return t
	}
	t.Missing = err.Error()
	if missing, ok := errors.AsType[*server.MissingError](err); ok {
		t.Install, t.Missing = missing.Install, missing.Tool+" is not installed"
		if missing.Err != nil {
			t.Missing = missing.Err.Error()
		}
	}
	return t
}

// prometheusTool is not needed: without it trials count as well, only their
// plots are missing.
func prometheusTool() Tool {
	b, err := server.FindPrometheus()
	return found(Tool{Name: "prometheus", For: "shapes over time of trials under load; verdicts do without"}, b, err)
}

// erlangTool looks for what runs RabbitMQ. Its version lies in a file, so that
// no virtual machine is booted to ask.
func erlangTool() Tool {
	t := Tool{Name: "erlang", For: "running RabbitMQ", Needed: true, Install: install("erlang-base", "erlang")}
	path, err := exec.LookPath("erl")
	if err != nil {
		t.Missing = "erl is not in PATH"
		return t
	}
	t.Path = path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		files, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(real)), "releases", "*", "OTP_VERSION"))
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil {
				t.Version = strings.TrimSpace(string(text))
			}
		}
	}
	return t
}

// celeryTool looks for a Python that has Celery. It is not needed: without it the
// cells of Celery's own worker are not run.
func celeryTool(ctx context.Context) Tool {
	t := Tool{Name: "python with celery", For: "the systems celery+redis and celery+rabbitmq"}
	c, err := celery.Find(ctx)
	return found(t, server.Binary{Path: c.Python, Version: c.Celery}, err)
}

// program looks for the first of names, in PATH and where an ordinary user's
// PATH does not look, and asks for its version.
func program(ctx context.Context, t Tool, flag string, names ...string) Tool {
	for _, name := range names {
		for _, candidate := range []string{name, "/usr/local/bin/" + name, "/usr/sbin/" + name, "/opt/homebrew/bin/" + name} {
			path, err := exec.LookPath(candidate)
			if err != nil {
				continue
			}
			t.Path = path
			if out, err := ask(ctx, path, flag); err == nil {
				t.Version = versionIn(out)
			} else {
				t.Missing = fmt.Sprintf("%s is there and does not run: %v", path, err)
			}
			return t
		}
	}
	t.Missing = strings.TrimSuffix(filepath.Base(names[0]), ".exe") + " is not in PATH"
	return t
}

// askWithin bounds how long a program may take to say its version.
const askWithin = 20 * time.Second

func ask(ctx context.Context, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var versionWord = regexp.MustCompile(`[0-9]+(\.[0-9]+)+`)

// versionIn is the first version in a text.
func versionIn(text string) string { return versionWord.FindString(text) }

// install is the command for this system.
func install(apt, brew string) string {
	if runtime.GOOS == "darwin" {
		if brew == "" {
			return "(there is no package of it here)"
		}
		return "brew install " + brew
	}
	return "apt-get install " + apt
}
