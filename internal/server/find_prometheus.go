package server

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
)

// PrometheusVariable is the environment variable that names another prometheus
// than the newest one found.
const PrometheusVariable = "ACKLAB_PROMETHEUS"

// prometheusPlaces are looked at besides PATH.
var prometheusPlaces = []string{
	"/usr/bin/prometheus", "/usr/local/bin/prometheus", "/opt/prometheus*/prometheus",
	"/opt/homebrew/bin/prometheus", "/opt/homebrew/opt/prometheus*/bin/prometheus", "/usr/local/opt/prometheus*/bin/prometheus",
}

// FindPrometheus finds prometheus: the one that ACKLAB_PROMETHEUS names, or else
// the newest of those in PATH and the usual places. The error is a *MissingError.
func FindPrometheus() (Binary, error) {
	if path := os.Getenv(PrometheusVariable); path != "" {
		version, err := prometheusVersion(path)
		if err != nil {
			return Binary{}, missingPrometheus(fmt.Errorf("%s: %w", PrometheusVariable, err))
		}
		return Binary{Path: path, Version: version}, nil
	}
	var found []Binary
	var lastErr error
	for _, path := range installed("prometheus", prometheusPlaces) {
		version, err := prometheusVersion(path)
		if err != nil {
			lastErr = err
			continue
		}
		found = append(found, Binary{Path: path, Version: version})
	}
	best, ok := newest(found)
	if !ok {
		return Binary{}, missingPrometheus(lastErr)
	}
	return best, nil
}

func missingPrometheus(err error) *MissingError {
	return missing("prometheus", "prometheus", "prometheus", err)
}

var (
	prometheusVersions sync.Map // path -> version: asking costs a process
	prometheusWord     = regexp.MustCompile(`\bprometheus, version ([0-9][0-9A-Za-z.-]*)`)
)

// prometheusVersion asks the program itself.
func prometheusVersion(path string) (string, error) {
	if known, ok := prometheusVersions.Load(path); ok {
		if _, err := os.Stat(path); err == nil {
			return known.(string), nil
		}
	}
	out, err := exec.Command(path, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	match := prometheusWord.FindSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("%s does not say a version as prometheus does", path)
	}
	prometheusVersions.Store(path, string(match[1]))
	return string(match[1]), nil
}
