package asynqbroker_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

var redisLPos = redis.LPosArgs{}

// unread tells whether a socket of the local port has bytes that its process
// has not read, by /proc/net/tcp.
func unread(t testing.TB, port string) bool {
	t.Helper()
	raw, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Skip("this needs /proc/net/tcp: ", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	suffix := fmt.Sprintf(":%04X", n)
	for line := range strings.Lines(string(raw)) {
		// sl local_address rem_address st tx_queue:rx_queue ...
		words := strings.Fields(line)
		if len(words) < 5 || !strings.HasSuffix(words[1], suffix) {
			continue
		}
		if _, rx, ok := strings.Cut(words[4], ":"); ok && words[3] == "01" && rx != "00000000" {
			return true
		}
	}
	return false
}
