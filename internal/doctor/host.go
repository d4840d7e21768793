package doctor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// The private servers listen in this range (see package server).
const (
	lowestPort  = 20000
	highestPort = 32767
	portProbes  = 32
)

// loopbackPorts tries a sample of the ports for private servers.
func loopbackPorts() []Finding {
	free := 0
	for range portProbes {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(lowestPort+rand.IntN(highestPort-lowestPort+1))))
		if err == nil {
			free++
			l.Close()
		}
	}
	return judgePorts(free, portProbes)
}

func judgePorts(free, tried int) []Finding {
	what := fmt.Sprintf("%d of %d loopback ports that were tried between %d and %d are free", free, tried, lowestPort, highestPort)
	switch {
	case free == 0:
		return []Finding{{Warning, what, "no private server can start", "make sure that 127.0.0.1 is up, and see who listens: ss -ltn", nil}}
	case free < tried/2:
		return []Finding{{Advice, what, "a server whose port is taken is started again on another, which takes time", "see who listens: ss -ltn", nil}}
	}
	return []Finding{{Level: Fine, What: what}}
}

// openFiles asks a shell: a Go program raises its own limit, and its children
// get back what was there before.
func openFiles(ctx context.Context) []Finding {
	shell, err := exec.LookPath("sh")
	if err != nil {
		return []Finding{{Level: Unseen, What: fmt.Sprintf("the open-files limit: %v", err)}}
	}
	out, err := ask(ctx, shell, "-c", "ulimit -n")
	if err != nil {
		return []Finding{{Level: Unseen, What: fmt.Sprintf("the open-files limit: %v", err)}}
	}
	return judgeOpenFiles(strings.TrimSpace(out))
}

// filesWanted is what RabbitMQ's documentation calls enough for development.
const filesWanted = 4096

func judgeOpenFiles(limit string) []Finding {
	n, err := strconv.Atoi(limit)
	switch {
	case limit == "unlimited":
	case err != nil:
		return []Finding{{Level: Unseen, What: fmt.Sprintf("the open-files limit: the shell says %q", limit)}}
	case n < filesWanted:
		return []Finding{{Advice, fmt.Sprintf("a process may open %d files (ulimit -n)", n),
			"RabbitMQ opens a file a connection and more a queue, Redis takes fewer clients than its maxclients",
			fmt.Sprintf("ulimit -n %d before the run, or more (RabbitMQ wants 65536 in production)", filesWanted), nil}}
	}
	return []Finding{{Level: Fine, What: "a process may open " + limit + " files (ulimit -n)"}}
}

func cores() []Finding { return judgeCores(runtime.GOMAXPROCS(0), runtime.NumCPU()) }

func judgeCores(usable, all int) []Finding {
	if usable < 2 {
		return []Finding{{Advice, fmt.Sprintf("%d of %d cores is usable", usable, all),
			"broker, workers and producer take turns: milliseconds mean little, counts are not affected", "a machine with two cores or more", nil}}
	}
	return []Finding{{Level: Fine, What: fmt.Sprintf("%d cores", usable)}}
}
