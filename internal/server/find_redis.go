package server

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
)

// redisPlaces are looked at besides PATH, which often lacks the sbin folders.
var redisPlaces = []string{
	"/usr/bin/redis-server", "/usr/sbin/redis-server",
	"/usr/local/bin/redis-server", "/usr/local/sbin/redis-server",
	"/opt/redis*/bin/redis-server", "/opt/homebrew/bin/redis-server",
	"/opt/homebrew/opt/redis*/bin/redis-server", "/usr/local/opt/redis*/bin/redis-server",
}

// FindRedis finds redis-server: the one that ACKLAB_REDIS_SERVER names, or else the
// newest of those in PATH and the usual places. The error is a *MissingError.
func FindRedis() (Binary, error) {
	if path := os.Getenv(RedisVariable); path != "" {
		version, err := redisVersion(path)
		if err != nil {
			return Binary{}, missingRedis(fmt.Errorf("%s: %w", RedisVariable, err))
		}
		return Binary{Path: path, Version: version}, nil
	}
	var found []Binary
	var lastErr error
	for _, path := range installed("redis-server", redisPlaces) {
		version, err := redisVersion(path)
		if err != nil {
			lastErr = err
			continue
		}
		found = append(found, Binary{Path: path, Version: version})
	}
	best, ok := newest(found)
	if !ok {
		return Binary{}, missingRedis(lastErr)
	}
	return best, nil
}

func missingRedis(err error) *MissingError {
	return missing("redis-server", "redis-server", "redis", err)
}

// installed lists the files a program may be: the one in PATH first.
func installed(program string, places []string) []string {
	var paths []string
	if path, err := exec.LookPath(program); err == nil {
		paths = append(paths, path)
	}
	for _, pattern := range places {
		found, _ := filepath.Glob(pattern) // errors: malformed patterns only
		paths = append(paths, found...)
	}
	return paths
}

var (
	redisVersions sync.Map // path -> version: asking costs a process
	versionWord   = regexp.MustCompile(`\bv=([0-9][0-9A-Za-z.-]*)`)
)

// redisVersion asks the program itself.
func redisVersion(path string) (string, error) {
	if known, ok := redisVersions.Load(path); ok {
		if _, err := os.Stat(path); err == nil {
			return known.(string), nil
		}
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	match := versionWord.FindSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("%s does not say a version as redis-server does", path)
	}
	redisVersions.Store(path, string(match[1]))
	return string(match[1]), nil
}
