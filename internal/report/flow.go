package report

import (
	"cmp"
	"slices"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

// flow is one workflow: its members in the order in which they were planned, and
// what the ledgers say of each.
type flow struct {
	id          string
	members     []*member
	first, last int64 // of the moments of its members; 0: nothing happened
}

// member is one task of a workflow.
type member struct {
	place, task, name string
	fate              check.Fate
	published         int64  // its first confirm; 0: none
	publisher         string // who has published it
	runs              []run
	calledOff         string // why it will never be sent; empty: nobody has said so
	collapsed         int    // how often it was not run because it had been
}

// run is one time that its handler was at work.
type run struct {
	process    string
	begin, end int64 // end 0: it has not ended
	failed     bool
	killed     bool // its process died in it
}

// flowsOf are the workflows of a trial, by the planned lines of its publishers.
func flowsOf(t ledger.Trial, files map[string]ledger.File, fates []check.Fate) []*flow {
	byTask := map[string]*member{}
	byID := map[string]*flow{}
	var flows []*flow
	all := entriesOf(t, files)
	for _, e := range all {
		id := e.Detail[ledger.DetailWorkflow]
		if e.Event != ledger.Planned || id == "" || byTask[e.Task] != nil {
			continue
		}
		f := byID[id]
		if f == nil {
			f = &flow{id: id}
			byID[id] = f
			flows = append(flows, f)
		}
		m := &member{place: e.Detail[ledger.DetailPlace], task: e.Task, name: e.Name}
		byTask[e.Task] = m
		f.members = append(f.members, m)
	}
	for _, fate := range fates {
		if m := byTask[fate.Task]; m != nil {
			m.fate = fate
		}
	}
	for _, e := range all {
		if m := byTask[e.Task]; m != nil {
			m.take(e)
		}
	}
	for _, f := range flows {
		f.close(t)
	}
	return flows
}

// entriesOf are all lines of a trial in the order of time; what one process
// wrote stays in its order.
func entriesOf(t ledger.Trial, files map[string]ledger.File) []entry {
	var all []entry
	for _, p := range t.Processes {
		f, _ := fileOf(files, p)
		for _, l := range f.Lines {
			all = append(all, entry{l, p})
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.Mono, b.Mono) })
	return all
}

// take enters one line about the member.
func (m *member) take(e entry) {
	switch e.Event {
	case ledger.Attempted:
		if m.publisher == "" {
			m.publisher = e.proc.Name
		}
	case ledger.Confirmed:
		if m.published == 0 {
			m.published = e.Mono
		}
	case ledger.Started:
		m.runs = append(m.runs, run{process: e.proc.Name, begin: e.Mono})
	case ledger.Finished, ledger.Failed, ledger.Interrupted:
		for i := len(m.runs) - 1; i >= 0; i-- {
			if r := &m.runs[i]; r.process == e.proc.Name && r.end == 0 {
				r.end, r.failed = e.Mono, e.Event != ledger.Finished
				break
			}
		}
	case ledger.CalledOff:
		m.calledOff = e.Reason
	case ledger.Collapsed:
		m.collapsed++
	}
}

// close ends what died with its process, and finds the first and last moment.
func (f *flow) close(t ledger.Trial) {
	ends := map[string]int64{}
	for _, p := range t.Processes {
		ends[p.Name] = p.End
	}
	moment := func(at int64) {
		if at == 0 {
			return
		}
		if f.first == 0 || at < f.first {
			f.first = at
		}
		f.last = max(f.last, at)
	}
	for _, m := range f.members {
		moment(m.published)
		for i := range m.runs {
			r := &m.runs[i]
			if r.end == 0 {
				r.end, r.killed = ends[r.process], true
			}
			moment(r.begin)
			moment(r.end)
		}
	}
}

// flowOf is the workflow that has the task.
func flowOf(flows []*flow, task string) *flow {
	for _, f := range flows {
		for _, m := range f.members {
			if m.task == task {
				return f
			}
		}
	}
	return nil
}
