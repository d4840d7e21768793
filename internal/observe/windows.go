package observe

import (
	"strconv"

	"acklab/internal/ledger"
)

// windows are the times of the faults in the runner's ledger. A fault that was
// healed by itself lasted until then.
func windows(runner []ledger.Line, begin int64) []Window {
	found := []Window{}
	open := map[string]int{}
	for _, l := range runner {
		switch l.Event {
		case ledger.FaultInjected:
			from, to := moment(l, "start_ns"), moment(l, "end_ns")
			open[l.Fault] = len(found)
			found = append(found, Window{l.Fault, float64(from-begin) / 1e9, float64(to-begin) / 1e9})
		case ledger.FaultHealed:
			if i, ok := open[l.Fault]; ok {
				found[i].To = float64(l.Mono-begin) / 1e9
				delete(open, l.Fault)
			}
		}
	}
	return found
}

// moment is a time in the detail of a line; without it, that of the line.
func moment(l ledger.Line, key string) int64 {
	if ns, err := strconv.ParseInt(l.Detail[key], 10, 64); err == nil {
		return ns
	}
	return l.Mono
}
