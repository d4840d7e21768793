package doctor

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"acklab/internal/minder"
)

// clockSourceFile names what the kernel counts time with, on Linux.
const clockSourceFile = "/sys/devices/system/clocksource/clocksource0/current_clocksource"

// goodSources are read without a call into the kernel.
var goodSources = []string{"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "riscv_clocksource", "stp", "timebase"}

// slowReading is when readings of the clock disturb what they measure.
const slowReading = time.Microsecond

// clock looks at the clock that orders the ledgers.
func clock() []Finding {
	source, _ := os.ReadFile(clockSourceFile) // none on other systems, and in some containers
	cost, back := readClock(20000)
	return judgeClock(strings.TrimSpace(string(source)), cost, back)
}

// readClock is the time that one reading takes, and whether the clock went back
// meanwhile.
func readClock(n int64) (cost time.Duration, back bool) {
	first := minder.Now()
	last := first
	for range n {
		now := minder.Now()
		back = back || now < last
		last = now
	}
	return time.Duration((last - first) / n), back
}

func judgeClock(source string, cost time.Duration, back bool) []Finding {
	name := "the monotonic clock"
	if source != "" {
		name += " (clock source " + source + ")"
	}
	what := fmt.Sprintf("%s takes %v a reading", name, cost)
	switch {
	case back:
		return []Finding{{Warning, name + " goes back", "lines of different processes are ordered by it: no verdict can be trusted", "another machine, or another kernel", nil}}
	case cost >= slowReading || source != "" && !slices.Contains(goodSources, source):
		return []Finding{{Advice, what, "each line of a ledger costs a reading: times below a millisecond are disturbed, counts are not", "clocksource=tsc, where the machine's is reliable", nil}}
	}
	return []Finding{{Level: Fine, What: what}}
}
