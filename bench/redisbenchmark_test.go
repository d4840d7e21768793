package bench

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"acklab/internal/server"
)

// redisBenchmark is the yardstick on Redis: the program that lies beside
// redis-server, with 50 connections and values of 800 bytes, about as long as
// the message of a task without arguments.
type redisBenchmark struct {
	b          *testing.B
	redis      *server.Redis
	path       string
	host, port string
}

// yards is how many commands it sends in a lap.
const yards = 30_000

func newRedisBenchmark(b *testing.B, r *server.Redis) (*redisBenchmark, error) {
	own, err := server.FindRedis()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(filepath.Dir(own.Path), "redis-benchmark")
	if _, err := exec.LookPath(path); err != nil {
		return nil, fmt.Errorf("there is no redis-benchmark beside redis-server (apt-get install redis-tools): %w", err)
	}
	host, port, err := net.SplitHostPort(r.Addr())
	if err != nil {
		return nil, err
	}
	return &redisBenchmark{b: b, redis: r, path: path, host: host, port: port}, nil
}

// run is a lap of one of its tests: lpush, or rpop, which takes what lpush has
// left.
func (y *redisBenchmark) run(test string) lap {
	cmd := exec.CommandContext(y.b.Context(), y.path, "-h", y.host, "-p", y.port,
		"-n", strconv.Itoa(yards), "-c", "50", "-d", "800", "-t", test, "--csv")
	watch := startFor(nil, y.redis)
	out, err := cmd.Output()
	if err != nil {
		y.b.Fatal("redis-benchmark:", err)
	}
	used := watch.stop()
	took := lapAt(y.rate(out), yards) // its own word: without its start
	took.client, took.server = cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), used.server
	return took
}

// rate is what the last line says, behind the name of the test. Since version 7
// there is a line with names before it, and latencies behind.
func (y *redisBenchmark) rate(out []byte) float64 {
	lines, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err == nil && len(lines) > 0 && len(lines[len(lines)-1]) > 1 {
		if rate, err := strconv.ParseFloat(lines[len(lines)-1][1], 64); err == nil && rate > 0 {
			return rate
		}
	}
	y.b.Fatalf("redis-benchmark says no rate (%v):\n%s", err, out)
	return 0
}
