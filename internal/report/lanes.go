package report

import (
	"cmp"
	"fmt"
	"slices"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

// timelineTasks is how many tasks one timeline draws at most.
const timelineTasks = 200

// chart is a trial's timeline before it has places: times in seconds after the
// trial's first line.
type chart struct {
	Lanes  []lane
	Faults []shade
	Times  []float64 // every moment at which something drawn happens
	Tasks  int       // of the trial
	Drawn  int
}

// lane is one process.
type lane struct {
	Name       string
	Start, End float64
	Ended      string // how: "exit 0", "SIGKILL", "still there"
	Killed     bool
	KillTitle  string
	Last       int // the number of its ledger's last line, from 1; 0: it has none
	Bars       []bar
	Marks      []mark
	Rows       int
}

// bar is one delivery in one process: from received to settled, with the time
// in which its handler ran.
type bar struct {
	Task, Message string
	Class         check.Class
	Row           int
	From, To      float64
	Runs          [][2]float64
	Sent          bool // its acknowledgement was handed over
	Open          bool // it ends because the process died
	Again         bool // not the task's first delivery
	Lines         []string
	Refs          []int // the numbers of those lines in the ledger, from 1
}

// mark is one moment of a lane: a publish, a probe, the census.
type mark struct {
	At    float64
	Kind  string // attempted, confirmed, refused, unsure, probe, census, lost, note
	Title string
	Ref   int // its line in the ledger
}

// shade is a fault from its injection to its healing.
type shade struct {
	Fault    string
	From, To float64
	Title    string
	Lane     int // whose ledger says it
	Ref      int // its line there
}

// fileOf is the ledger of the process, if it is there.
func fileOf(files map[string]ledger.File, p ledger.Process) (ledger.File, bool) {
	f, ok := files[p.File]
	return f, ok
}

// firstMono is the trial's zero: its earliest line.
func firstMono(t ledger.Trial, files map[string]ledger.File) int64 {
	first := int64(0)
	for _, p := range t.Processes {
		if f, ok := fileOf(files, p); ok && len(f.Lines) > 0 {
			if m := f.Lines[0].Mono; first == 0 || m < first {
				first = m
			}
		}
	}
	return first
}

// newChart lays out the trial: fates decide which tasks are drawn when there
// are too many.
func newChart(t ledger.Trial, files map[string]ledger.File, fates []check.Fate) chart {
	zero := firstMono(t, files)
	classes, drawn := pick(fates)
	c := chart{Tasks: len(fates), Drawn: len(drawn)}
	last := zero
	for _, p := range t.Processes {
		if f, ok := fileOf(files, p); ok && len(f.Lines) > 0 {
			last = max(last, f.Lines[len(f.Lines)-1].Mono, p.End)
		}
	}
	d := draw{zero: zero, end: seconds(last - zero), classes: classes, drawn: drawn, received: map[string]int{}}
	for i, p := range t.Processes {
		f, _ := fileOf(files, p)
		l, shades := d.lane(p, f.Lines)
		for j := range shades {
			shades[j].Lane = i
		}
		c.Lanes = append(c.Lanes, l)
		c.Faults = append(c.Faults, shades...)
	}
	c.collectTimes()
	return c
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }

// pick chooses the tasks to draw: those to which something happened first,
// then the others in their order.
func pick(fates []check.Fate) (classes map[string]check.Class, drawn map[string]bool) {
	classes, drawn = map[string]check.Class{}, map[string]bool{}
	for _, f := range fates {
		classes[f.Task] = f.Class
	}
	for _, wantOdd := range []bool{true, false} {
		for _, f := range fates {
			if odd(f) == wantOdd && len(drawn) < timelineTasks {
				drawn[f.Task] = true
			}
		}
	}
	return classes, drawn
}

// odd tells whether more happened to the task than that it ran once.
func odd(f check.Fate) bool {
	return f.Class != check.Finished || f.Starts != 1 || f.Finishes != 1 || f.Redelivered || f.Copied || f.Leftover > 0 || f.ResultLost || f.Condition == check.Running || f.Condition == check.Prefetched
}

// draw is what the lanes of one chart share.
type draw struct {
	zero     int64
	end      float64
	classes  map[string]check.Class
	drawn    map[string]bool
	received map[string]int
}

func (d *draw) at(mono int64) float64 { return max(0, seconds(mono-d.zero)) }

func (d *draw) lane(p ledger.Process, lines []ledger.Line) (lane, []shade) {
	l := lane{Name: p.Name, Start: d.at(p.Start), End: d.end, Killed: p.Signal == 9, Ended: ended(p)}
	if p.Start == 0 || p.Start < d.zero {
		l.Start = 0
	}
	if p.End > 0 {
		l.End = d.at(p.End)
	}
	if l.Killed {
		l.KillTitle = fmt.Sprintf("%s was killed (SIGKILL)", p.Name)
		if n := len(lines); n > 0 && lines[n-1].Event == ledger.Checkpoint {
			l.KillTitle += " at checkpoint " + lines[n-1].Point
		}
	}
	l.Last = len(lines)
	shades := d.fill(&l, lines)
	l.pack()
	return l, shades
}

func ended(p ledger.Process) string {
	switch {
	case p.Signal == 9:
		return "SIGKILL"
	case p.Signal != 0:
		return fmt.Sprintf("signal %d", p.Signal)
	case p.End == 0:
		return "did not end"
	default:
		return fmt.Sprintf("exit %d", p.Code)
	}
}

// fill turns the lines of one process into bars, marks and faults.
func (d *draw) fill(l *lane, lines []ledger.Line) []shade {
	open := map[string]*bar{} // by message
	shut := func(id string, mono int64) {
		if b := open[id]; b != nil {
			b.To = d.at(mono)
			delete(open, id)
			l.Bars = append(l.Bars, *b)
		}
	}
	var faults []shade
	for i, line := range lines {
		ref := i + 1
		at := d.at(line.Mono)
		title := fmt.Sprintf("%s  %s", clock(at), lineText(line))
		if b := open[line.Message]; b != nil && line.Message != "" {
			b.Lines, b.Refs = append(b.Lines, title), append(b.Refs, ref)
		}
		switch line.Event {
		case ledger.Received:
			if !d.drawn[line.Task] {
				continue
			}
			shut(line.Message, line.Mono)
			d.received[line.Task]++
			open[line.Message] = &bar{Task: line.Task, Message: line.Message, Class: d.classes[line.Task], From: at, Again: d.received[line.Task] > 1, Lines: []string{title}, Refs: []int{ref}}
		case ledger.Started:
			if b := open[line.Message]; b != nil {
				b.Runs = append(b.Runs, [2]float64{at, -1})
			}
		case ledger.Finished, ledger.Failed, ledger.Interrupted:
			if b := open[line.Message]; b != nil && len(b.Runs) > 0 {
				b.Runs[len(b.Runs)-1][1] = at
				if b.Sent { // ack=early: nothing more will come of it
					shut(line.Message, line.Mono)
				}
			}
		case ledger.AckSent, ledger.StaleAck:
			if b := open[line.Message]; b != nil {
				b.Sent = true
				if len(b.Runs) > 0 && !b.running() {
					shut(line.Message, line.Mono)
				}
			}
		case ledger.Requeued, ledger.Rejected, ledger.Dropped, ledger.GivenBack, ledger.Expired, ledger.Revoked:
			shut(line.Message, line.Mono)
		case ledger.Attempted, ledger.Confirmed, ledger.Refused, ledger.Unsure:
			if d.drawn[line.Task] {
				l.Marks = append(l.Marks, mark{at, string(line.Event), title, ref})
			}
		case ledger.ProbeOK, ledger.ProbeFailed:
			l.Marks = append(l.Marks, mark{at, "probe", title, ref})
		case ledger.CensusOpened, ledger.CensusClosed:
			l.Marks = append(l.Marks, mark{at, "census", title, ref})
		case ledger.Lost, ledger.Connected, ledger.Draining, ledger.Holding:
			l.Marks = append(l.Marks, mark{at, "note", title, ref})
		case ledger.FaultInjected:
			faults = append(faults, shade{Fault: line.Fault, From: at, To: at, Title: title, Ref: ref}) // a kill is a moment; what lasts is healed later
		case ledger.FaultHealed:
			for i := range faults {
				if faults[i].Fault == line.Fault && faults[i].To == faults[i].From {
					faults[i].To = at
				}
			}
		}
	}
	for _, b := range open {
		b.To, b.Open = l.End, l.Killed
		l.Bars = append(l.Bars, *b)
	}
	for i := range l.Bars {
		for j := range l.Bars[i].Runs {
			if l.Bars[i].Runs[j][1] < 0 {
				l.Bars[i].Runs[j][1] = l.Bars[i].To
			}
		}
	}
	return faults
}

// running tells whether its handler has begun and not ended.
func (b *bar) running() bool { return len(b.Runs) > 0 && b.Runs[len(b.Runs)-1][1] < 0 }

// pack puts bars that overlap into different rows, earliest first.
func (l *lane) pack() {
	slices.SortStableFunc(l.Bars, func(a, b bar) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Message, b.Message))
	})
	var free []float64
	for i := range l.Bars {
		b := &l.Bars[i]
		row := slices.IndexFunc(free, func(until float64) bool { return until <= b.From })
		if row < 0 {
			row = len(free)
			free = append(free, 0)
		}
		b.Row, free[row] = row, b.To
	}
	l.Rows = max(1, len(free))
}

// collectTimes gathers the moments that the axis must show.
func (c *chart) collectTimes() {
	c.Times = append(c.Times, 0)
	for _, l := range c.Lanes {
		c.Times = append(c.Times, l.Start, l.End)
		for _, m := range l.Marks {
			c.Times = append(c.Times, m.At)
		}
		for _, b := range l.Bars {
			c.Times = append(c.Times, b.From, b.To)
			for _, r := range b.Runs {
				c.Times = append(c.Times, r[0], r[1])
			}
		}
	}
	for _, f := range c.Faults {
		c.Times = append(c.Times, f.From, f.To)
	}
}
