package celery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"acklab/internal/server"
)

// PythonVariable is the environment variable that names another Python than the one
// that the packages of the system install for.
const PythonVariable = "ACKLAB_PYTHON"

// systemPython is where Debian's packages install to. A python3 in PATH may be
// another one.
const systemPython = "/usr/bin/python3"

// findWithin bounds how long a Python may take to say what it has.
const findWithin = 20 * time.Second

// Installation is a Python with Celery, and the versions of what decides how it
// behaves.
type Installation struct {
	Python string `json:"python"` // the interpreter
	Celery string `json:"celery"`
	Kombu  string `json:"kombu"`
	AMQP   string `json:"amqp"`  // py-amqp, for RabbitMQ
	Redis  string `json:"redis"` // redis-py
}

// versionsOf asks a Python. Modules that cannot be imported are errors of their own.
const versionsOf = `import json, sys, celery, kombu, amqp, redis
json.dump({"celery": celery.__version__, "kombu": kombu.__version__, "amqp": amqp.__version__, "redis": redis.__version__}, sys.stdout)`

// Find looks for the Python that PythonVariable names, else for that of the system.
// Where it lacks something the error is a *server.MissingError with the command that
// installs it.
func Find(ctx context.Context) (Installation, error) {
	python := cmp.Or(os.Getenv(PythonVariable), systemPython)
	ctx, cancel := context.WithTimeout(ctx, findWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-B", "-c", versionsOf)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	found := Installation{Python: python}
	if err == nil {
		err = json.Unmarshal(out, &found)
	}
	if err != nil {
		return Installation{}, missing(python, lastWords(err))
	}
	return found, nil
}

// lastWords is err with the last line that the program wrote, which names the module
// that is missing.
func lastWords(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) || len(exit.Stderr) == 0 {
		return err
	}
	text := strings.TrimSpace(string(exit.Stderr))
	return errors.New(text[strings.LastIndexByte(text, '\n')+1:])
}

func missing(python string, err error) error {
	missing := &server.MissingError{
		Tool: "Celery", Install: "apt-get install python3-celery python3-redis (" + PythonVariable + " chooses another Python)",
		Err: fmt.Errorf("%s: %w", python, err),
	}
	chosen := os.Getenv(PythonVariable) != ""
	if chosen {
		missing.Err = fmt.Errorf("%s=%w", PythonVariable, missing.Err)
	}
	if chosen || runtime.GOOS == "darwin" {
		missing.Install = python + " -m pip install celery redis"
	}
	return missing
}
