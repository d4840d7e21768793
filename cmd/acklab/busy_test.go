package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"acklab/internal/ledger"
)

// clockTick is the unit of times in /proc/PID/stat, on all of Linux.
const clockTick = 10 * time.Millisecond

// busy is the share of a core that the process takes over a while. Where there
// is no /proc the test is skipped.
func (p *running) busy(while time.Duration) float64 {
	p.t.Helper()
	before, begin := p.cpu(), time.Now()
	select {
	case <-p.done:
		p.t.Fatalf("%s ended with %d:\n%s", p.cmd.Args[1:], p.code(), &p.stderr)
	case <-time.After(while):
	}
	return float64(p.cpu()-before) / float64(time.Since(begin))
}

// cpu is how long the process has computed so far, for itself and in the kernel.
func (p *running) cpu() time.Duration {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Skip("this system does not tell how busy a process is: ", err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // behind the name, which may hold anything else
	fields := strings.Fields(rest)
	var ticks int64
	for _, at := range []int{11, 12} { // utime, stime
		n, err := strconv.ParseInt(fields[at], 10, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick
}

// idle tells whether a worker that acknowledges late has done all that it has
// received.
func (p *running) idle(log string) bool {
	p.t.Helper()
	received, handed := 0, 0
	for _, l := range lines(p.t, log, ledger.Received, ledger.AckSent, ledger.AckUnsure, ledger.StaleAck) {
		switch {
		case l.Event == ledger.Received:
			received++
		case l.Task != "":
			handed++
		}
	}
	return handed >= received
}
