package check

import (
	"cmp"
	"fmt"
	"slices"

	"acklab/internal/ledger"
)

// history is everything that a trial's ledgers say, put in one order.
type history struct {
	trial   ledger.Trial
	books   []*book
	events  []event // of all books, by mono
	tasks   map[string]*record
	order   []*record // by their first line
	letters map[string]*letter
	victim  *victim           // nil: the trial expects none
	took    map[*book]*record // the task that a worker's end is held to explain: see whileTaken

	// whole: every ledger is, as far as its process could make it so.
	whole bool
	// counted: every queue's census is complete, and later than anything
	// that could have changed the queue.
	counted bool

	unsure, broken notes
}

// book is the ledger of one process.
type book struct {
	index int
	proc  ledger.Process
	lines []ledger.Line
	torn  bool
}

// event is one line and the book it stands in.
type event struct {
	book *book
	*ledger.Line
}

// where names the line, for people.
func (e event) where() string { return fmt.Sprintf("line %d of %s", e.Seq, e.book.proc.Name) }

// runner tells whether the book is the runner's: the first of the manifest.
func (b *book) runner() bool { return b.index == 0 }

// record gathers what the events say about one task.
type record struct {
	id        string
	letters   []*letter
	planned   bool
	attempted bool
	seen      bool // something proves that the task existed

	starts, finishes int
	began            map[int][]event // the starts, by the number of the try
	failures         map[int][]event // the failures after which there is a retry, by the same
	failed           bool            // for good
	expired, revoked bool
	resultLost       bool
	workflow         string  // that it was planned as a part of; "": of none that is known
	calledOff        []event // the lines that say so
	fell             int64   // when something first kept it from its end; 0: nothing
	collapsed        []event
	over             int64 // when it first ended for good; 0: never
	finishedAt       int64 // first; 0: never
	confirmedAt      int64 // when the broker first said that it has it; 0: never
	heldDead         int
	heldAlive        int
	received         []event // its receives, by mono
}

// letter is one message: one publish of a task, however often it was attempted
// under the same id.
type letter struct {
	id       string
	rec      *record
	retries  int
	known    bool // retries is from its attempt
	publish  map[*book]*publishing
	received []event
	eta      int64          // the moment before which it must not run; 0: none
	put      bool           // it was postponed and has not come again: another message has its place
	acks     int            // acknowledgements that may have told the broker to forget it
	acking   map[*book]bool // the book's latest settlement of it is one of them
	held     bool
	waits    bool // the queue held it at the census, for anybody
	attempts []event
}

// publishing counts one publisher's lines about one message. Duplicates are those
// of the refused that say that the broker has the message already.
type publishing struct{ attempted, confirmed, unsure, refused, duplicates int }

// newHistory opens the books. What is wrong with them is noted.
func newHistory(t ledger.Trial, files map[string]ledger.File) *history {
	h := &history{trial: t, tasks: map[string]*record{}, letters: map[string]*letter{}, took: map[*book]*record{}, whole: true}
	h.open(files)
	for _, b := range h.books {
		for i := range b.lines {
			h.events = append(h.events, event{b, &b.lines[i]})
		}
	}
	// Stable: the lines of one book stay in their order where mono is equal.
	slices.SortStableFunc(h.events, func(a, b event) int { return cmp.Compare(a.Mono, b.Mono) })
	return h
}

// book finds the book of a process by its name.
func (h *history) book(name string) *book {
	for _, b := range h.books {
		if b.proc.Name == name {
			return b
		}
	}
	return nil
}

// read takes in every event.
func (h *history) read() {
	for _, e := range h.events {
		role, ok := roles[e.Event]
		if !ok || e.Event == ledger.AckUnsure && e.Task == "" && e.Message == "" {
			continue // of a session's settlements as a whole
		}
		h.take(e, role)
	}
}

// role says what a line about a task is for the accounting.
type role int

const (
	promising  role = iota // the task is owed
	publishes              // about a publish: needs a message id
	witnessing             // proves that the message existed
	noting                 // says something of the task, and proves nothing
)

// roles are the events that are about one task. The others are about
// processes, sessions, queues.
var roles = map[ledger.Event]role{
	ledger.Planned: promising, ledger.CalledOff: promising,
	ledger.JoinLost:  noting,
	ledger.Attempted: publishes, ledger.Confirmed: publishes, ledger.Refused: publishes, ledger.Unsure: publishes,
	ledger.Received: witnessing, ledger.Accepted: witnessing, ledger.Dropped: witnessing, ledger.GivenBack: witnessing,
	ledger.AckSending: witnessing, ledger.AckSent: witnessing, ledger.AckUnsure: witnessing, ledger.StaleAck: witnessing,
	ledger.Started: witnessing, ledger.Finished: witnessing, ledger.Failed: witnessing, ledger.Interrupted: witnessing,
	ledger.Requeuing: witnessing, ledger.Requeued: witnessing, ledger.Rejecting: witnessing, ledger.Rejected: witnessing,
	ledger.Postponed: witnessing, ledger.Expired: witnessing, ledger.Revoked: witnessing, ledger.Collapsed: witnessing,
	ledger.ResultStored: witnessing, ledger.ResultKept: witnessing, ledger.ResultLost: witnessing,
}

// take enters one event about a task.
func (h *history) take(e event, as role) {
	r, l := h.find(e)
	if r == nil {
		h.unsure.like("a line names neither task nor message", string(e.Event)+", "+e.where())
		return
	}
	if as == publishes && l == nil {
		h.unsure.like("a publish names no message", string(e.Event)+", "+e.where())
		r.attempted = true
		return
	}
	r.fall(e)
	switch as {
	case promising:
		r.planned = true
		if e.Event == ledger.CalledOff {
			r.calledOff = append(r.calledOff, e)
		} else {
			r.workflow = cmp.Or(r.workflow, e.Detail[ledger.DetailWorkflow])
		}
	case publishes:
		r.publish(e, l)
	case witnessing:
		r.seen = true
		r.witness(e, l)
	}
}

// find gives the task and the message that a line is about, making what is
// new. A task without a name is named by its message: a foreign one. The
// message is nil when the line names none.
func (h *history) find(e event) (*record, *letter) {
	l := h.letters[e.Message]
	switch {
	case e.Task == "" && e.Message == "":
		return nil, nil
	case l != nil:
		if e.Task != "" && e.Task != l.rec.id {
			h.unsure.like("a message belongs to two tasks", fmt.Sprintf("%s to %s and %s, %s", e.Message, l.rec.id, e.Task, e.where()))
		}
		return l.rec, l
	}
	r := h.task(cmp.Or(e.Task, "message "+e.Message))
	if e.Message == "" {
		return r, nil
	}
	l = &letter{id: e.Message, rec: r, retries: e.Retries, publish: map[*book]*publishing{}, acking: map[*book]bool{}}
	h.letters[e.Message] = l
	r.letters = append(r.letters, l)
	return r, l
}

func (h *history) task(id string) *record {
	r := h.tasks[id]
	if r == nil {
		r = &record{id: id, began: map[int][]event{}, failures: map[int][]event{}}
		h.tasks[id] = r
		h.order = append(h.order, r)
	}
	return r
}

// publish enters a line about a publish.
func (r *record) publish(e event, l *letter) {
	p := l.publish[e.book]
	if p == nil {
		p = &publishing{}
		l.publish[e.book] = p
	}
	switch e.Event {
	case ledger.Attempted:
		p.attempted++
		r.attempted = true
		l.retries, l.known = e.Retries, true
		l.eta = e.ETA
		l.attempts = append(l.attempts, e)
	case ledger.Confirmed:
		p.confirmed++
		r.had(e)
	case ledger.Unsure:
		p.unsure++
	case ledger.Refused:
		p.refused++
		if e.Detail[ledger.DetailDuplicate] != "" {
			p.duplicates++
			r.had(e)
		}
	}
}

// had enters that the broker says it has a message of the task.
func (r *record) had(e event) {
	if r.confirmedAt == 0 {
		r.confirmedAt = e.Mono
	}
}

// witness enters a line of a worker. l may be nil.
func (r *record) witness(e event, l *letter) {
	if l != nil {
		l.witness(e)
	}
	switch e.Event {
	case ledger.Received:
		r.received = append(r.received, e)
	case ledger.Started:
		r.starts++
		r.began[e.try(l)] = append(r.began[e.try(l)], e)
	case ledger.Finished:
		if r.finishes++; r.finishes == 1 {
			r.finishedAt = e.Mono
		}
		r.end(e)
	case ledger.Failed:
		if e.Final {
			r.failed = true
			r.end(e)
			break
		}
		r.failures[e.try(l)] = append(r.failures[e.try(l)], e)
	case ledger.Expired:
		r.expired = true
		r.end(e)
	case ledger.Revoked:
		r.revoked = true
		r.end(e)
	case ledger.Collapsed:
		r.collapsed = append(r.collapsed, e)
	case ledger.ResultLost:
		r.resultLost = true
	}
}

// witness enters what concerns the message and not only its task.
func (l *letter) witness(e event) {
	switch e.Event {
	case ledger.Received:
		l.received = append(l.received, e)
		l.put = false
		if !l.known {
			l.retries = e.Retries
		}
	case ledger.Postponed:
		l.put = true
	case ledger.AckSending:
		l.acks++
		l.acking[e.book] = true
	case ledger.AckSent: // counted by its ack-sending; without one it counts too
		if !l.acking[e.book] {
			l.acks++
			l.acking[e.book] = true
		}
	case ledger.Requeuing, ledger.Rejecting:
		l.acking[e.book] = false
	case ledger.StaleAck: // the latest settlement changed nothing
		if l.acking[e.book] {
			l.acks--
			l.acking[e.book] = false
		}
	}
}

// try is the retry number of the try that a line is about.
func (e event) try(l *letter) int {
	if l == nil {
		return e.Retries
	}
	return l.retries
}

func (r *record) end(e event) {
	if r.over == 0 {
		r.over = e.Mono
	}
}
