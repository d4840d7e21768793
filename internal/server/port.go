package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
)

// Servers listen below the range from which the kernel takes the ports of outgoing
// connections. Inside that range two accidents happen while a server is down: any
// process on the machine may be given the port, and a client that redials a
// loopback port without a listener may be given the very port it dials and connect
// to itself, which then keeps the server from coming back.
const (
	lowestPort       = 20000
	ephemeralDefault = 32768
	enoughPorts      = 1000
)

// ports hands out free loopback ports, each at most once in a process.
type ports struct {
	mu    sync.Mutex
	given map[int]bool
}

var freePorts = &ports{given: map[int]bool{}}

// pick returns a port on which nobody listens at this moment.
func (p *ports) pick() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	top := ephemeralStart()
	if top-lowestPort < enoughPorts {
		return p.fromKernel()
	}
	for range enoughPorts {
		port := lowestPort + rand.IntN(top-lowestPort)
		if p.given[port] || !isFree(port) {
			continue
		}
		p.given[port] = true
		return port, nil
	}
	return 0, fmt.Errorf("no free port found between %d and %d", lowestPort, top-1)
}

// fromKernel is for a machine whose ephemeral range leaves no room below it.
func (p *ports) fromKernel() (int, error) {
	for range enoughPorts {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if !p.given[port] {
			p.given[port] = true
			return port, nil
		}
	}
	return 0, errors.New("no free port found")
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// ephemeralStart is the first port the kernel uses for outgoing connections.
func ephemeralStart() int {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return ephemeralDefault // not Linux: macOS begins at 49152, so this is safe too
	}
	var first, last int
	if _, err := fmt.Sscan(string(b), &first, &last); err != nil {
		return ephemeralDefault
	}
	return first
}
