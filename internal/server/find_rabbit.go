package server

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// rabbitPlaces are the homes that packages and Homebrew make.
var rabbitPlaces = []string{
	"/usr/lib/rabbitmq/lib/rabbitmq_server-*", "/usr/local/lib/rabbitmq/lib/rabbitmq_server-*",
	"/opt/rabbitmq", "/opt/rabbitmq_server-*",
	"/opt/homebrew/opt/rabbitmq", "/opt/homebrew/Cellar/rabbitmq/*",
	"/usr/local/opt/rabbitmq", "/usr/local/Cellar/rabbitmq/*",
}

// FindRabbit finds RabbitMQ's home folder: the one that ACKLAB_RABBITMQ_HOME names,
// or else the newest of those behind PATH and in the usual places. The error is a
// *MissingError; it is about erl when only Erlang is missing.
func FindRabbit() (Binary, error) {
	b, err := findRabbitHome()
	if err != nil {
		return Binary{}, err
	}
	if _, err := findErlang(); err != nil {
		return Binary{}, err
	}
	return b, nil
}

func findRabbitHome() (Binary, error) {
	if home := os.Getenv(RabbitVariable); home != "" {
		version, err := rabbitVersion(home)
		if err != nil {
			return Binary{}, missingRabbit(fmt.Errorf("%s: %w", RabbitVariable, err))
		}
		return Binary{Path: filepath.Clean(home), Version: version}, nil
	}
	var found []Binary
	for _, home := range rabbitHomes() {
		if version, err := rabbitVersion(home); err == nil {
			found = append(found, Binary{Path: home, Version: version})
		}
	}
	best, ok := newest(found)
	if !ok {
		return Binary{}, missingRabbit(nil)
	}
	return best, nil
}

func missingRabbit(err error) *MissingError {
	return missing("rabbitmq-server", "rabbitmq-server", "rabbitmq", err)
}

// rabbitHomes lists candidates. A rabbitmq-server in PATH lies in <home>/sbin,
// unless it is a distribution's wrapper.
func rabbitHomes() []string {
	var homes []string
	if script, err := exec.LookPath("rabbitmq-server"); err == nil {
		if real, err := filepath.EvalSymlinks(script); err == nil {
			homes = append(homes, filepath.Dir(filepath.Dir(real)))
		}
	}
	for _, pattern := range rabbitPlaces {
		found, _ := filepath.Glob(pattern) // errors: malformed patterns only
		homes = append(homes, found...)
	}
	return homes
}

// rabbitVersion reads the version off the core application's folder name.
func rabbitVersion(home string) (string, error) {
	if _, err := os.Stat(home); err != nil {
		return "", err
	}
	core, _ := filepath.Glob(filepath.Join(home, "plugins", "rabbit-[0-9]*"))
	if len(core) != 1 {
		return "", fmt.Errorf("%s holds no plugins/rabbit-VERSION", home)
	}
	return strings.TrimPrefix(filepath.Base(core[0]), "rabbit-"), nil
}
