package report

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

// ErrNoTask: no task of the trial or the run has such an id.
var ErrNoTask = errors.New("no such task")

// ErrAmbiguous: the beginning of an id fits several tasks.
var ErrAmbiguous = errors.New("several tasks begin like this")

// Explain tells the life of one task in plain words, one line an event, times
// relative to the task's first line, and ends with what became of it and why. A
// task of a workflow has the picture of that before it.
// taskID may be the beginning of an id. The error wraps ErrNoTask, and says how
// to list the ids, or ErrAmbiguous, and names those that fit, or is w's.
func Explain(w io.Writer, t ledger.Trial, files map[string]ledger.File, taskID string) error {
	res := check.Judge(t, files)
	ids := make([]string, 0, len(res.Fates))
	for _, f := range res.Fates {
		ids = append(ids, f.Task)
	}
	id, err := complete(taskID, ids)
	if err != nil {
		return fmt.Errorf("explain task %q of trial %s: %w", taskID, t.ID, err)
	}
	text := newStory(t, files, res.Fates[slices.Index(ids, id)]).text(res)
	if f := flowOf(flowsOf(t, files, res.Fates), id); f != nil && len(f.members) > 1 {
		text = f.text(id) + "\n" + text
	}
	_, err = io.WriteString(w, text)
	return err
}

// complete finds the one id that begins with prefix; the whole id always fits.
func complete(prefix string, ids []string) (string, error) {
	var fit []string
	for _, id := range ids {
		if id == prefix && id != "" {
			return id, nil
		}
		if prefix != "" && strings.HasPrefix(id, prefix) {
			fit = append(fit, id)
		}
	}
	switch len(fit) {
	case 0:
		return "", fmt.Errorf("%w; the trial's page and its ledgers list every id", ErrNoTask)
	case 1:
		return fit[0], nil
	}
	return "", fmt.Errorf("%w: %s", ErrAmbiguous, firstOf(fit, 8))
}

// firstOf are the first n of the words and how many more there are.
func firstOf(words []string, n int) string {
	text := strings.Join(words[:min(len(words), n)], ", ")
	if len(words) > n {
		text += fmt.Sprintf(" and %d more", len(words)-n)
	}
	return text
}

// story is one task's life.
type story struct {
	trial  ledger.Trial
	files  map[string]ledger.File
	fate   check.Fate
	broker string // its name for people

	events   []told
	messages map[string]bool
	seen     map[string]int // receives of each message so far
	sent     map[string]int // confirms of each message so far
}

// told is one line of the story.
type told struct {
	mono    int64
	process string
	text    string
	note    ledger.Event
}

func newStory(t ledger.Trial, files map[string]ledger.File, f check.Fate) *story {
	s := &story{trial: t, files: files, fate: f, broker: brokerName(t.System), messages: map[string]bool{}, seen: map[string]int{}, sent: map[string]int{}}
	for _, m := range f.Messages {
		s.messages[m] = true
	}
	s.tell()
	return s
}

// brokerName is the system in a sentence.
func brokerName(system string) string {
	switch {
	case system == "memory":
		return "the queue in memory"
	case strings.Contains(system, "rabbitmq"):
		return "RabbitMQ"
	case system == "asynq":
		return "asynq (Redis)"
	case strings.Contains(system, "redis"):
		return "Redis"
	default:
		return "the broker"
	}
}

// mine tells whether a line is about the task.
func (s *story) mine(l ledger.Line) bool {
	return l.Task == s.fate.Task || l.Task == "" && l.Message != "" && s.messages[l.Message]
}

// entry is a line with the process that wrote it.
type entry struct {
	ledger.Line
	proc ledger.Process
}

// tell collects the task's lines, and what happened to the processes that had
// it, in the order of time.
func (s *story) tell() {
	var all []entry
	for _, p := range s.trial.Processes {
		f, _ := fileOf(s.files, p)
		for _, l := range f.Lines {
			if s.mine(l) || l.Event == ledger.Acked || l.Event == ledger.FaultInjected || l.Event == ledger.FaultHealed || l.Event == ledger.CensusClosed {
				all = append(all, entry{l, p})
			}
		}
	}
	all = append(all, s.deaths()...)
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.Mono, b.Mono) })
	h := holding{open: map[string]string{}, sent: map[string]int64{}, told: map[string]bool{}, done: map[string]bool{}}
	began := false
	for i, e := range all {
		mine := s.mine(e.Line)
		began = began || mine
		if !began {
			continue
		}
		if mine || h.concerns(e) {
			s.add(e, all[i+1:], &h)
		}
	}
	s.census(all)
}

// deaths are the ends of killed processes, as lines.
func (s *story) deaths() []entry {
	var out []entry
	for _, p := range s.trial.Processes {
		if p.Signal == 0 || p.End == 0 {
			continue
		}
		e := entry{Line: ledger.Line{Mono: p.End, Event: ledger.ProcessEnded, Process: p.Name}, proc: p}
		if f, ok := fileOf(s.files, p); ok && len(f.Lines) > 0 {
			last := f.Lines[len(f.Lines)-1]
			if last.Event == ledger.Checkpoint {
				e.Point = last.Point
				e.Mono = max(last.Mono, min(e.Mono, last.Mono+1)) // it dies at once there; the runner reaps it later
			}
		}
		out = append(out, e)
	}
	return out
}

// holding is what each process has of the task while the story is told.
type holding struct {
	open map[string]string // process to the message that it has and has not settled
	sent map[string]int64  // process to its line with the task's last acknowledgement that is no fact yet
	told map[string]bool   // the process has told the broker to forget what it has
	done map[string]bool   // its handler has ended
}

// forget: the process has nothing more to do with the task.
func (h *holding) forget(process string) {
	delete(h.open, process)
	delete(h.sent, process)
	delete(h.told, process)
	delete(h.done, process)
}

// concerns tells whether a line that does not name the task matters to it.
func (h *holding) concerns(e entry) bool {
	switch e.Event {
	case ledger.FaultInjected, ledger.FaultHealed:
		return true
	case ledger.ProcessEnded:
		return h.open[e.proc.Name] != ""
	case ledger.Acked, ledger.AckUnsure:
		line, waits := h.sent[e.proc.Name]
		return waits && e.Upto >= line
	}
	return false
}

func (s *story) add(e entry, later []entry, h *holding) {
	who := e.proc.Name
	text := s.words(e, later, h)
	switch e.Event {
	case ledger.Confirmed:
		s.sent[e.Message]++
	case ledger.Received:
		h.forget(who)
		h.open[who] = e.Message
		s.seen[e.Message]++
	case ledger.AckSent:
		h.sent[who], h.told[who] = e.Seq, true
	case ledger.Acked:
		delete(h.sent, who)
		if h.done[who] {
			h.forget(who)
		}
	case ledger.AckUnsure: // no later flush can be about it
		delete(h.sent, who)
	case ledger.Requeued, ledger.Rejected, ledger.Dropped, ledger.GivenBack, ledger.ProcessEnded:
		h.forget(who)
	case ledger.Finished, ledger.Failed:
		h.done[who] = true
		if h.told[who] && h.sent[who] == 0 {
			h.forget(who)
		}
	}
	if text != "" {
		s.events = append(s.events, told{e.Mono, who, text, e.Event})
	}
}

// census says what the census of the task's queues found.
func (s *story) census(all []entry) {
	held := false
	var last *entry
	for i := range all {
		switch all[i].Event {
		case ledger.Held:
			held = held || s.mine(all[i].Line)
		case ledger.CensusClosed:
			last = &all[i]
		}
	}
	if last != nil && !held {
		text := fmt.Sprintf("took the census of all that %s still held: nothing of this task", s.broker)
		if last.Reason != "" {
			text = fmt.Sprintf("took the census of all that %s still held, but could not finish it: %s", s.broker, last.Reason)
		}
		s.events = append(s.events, told{last.Mono, last.proc.Name, text, ledger.CensusClosed})
	}
}

// text is the whole story.
func (s *story) text(res check.Result) string {
	var b strings.Builder
	name := ""
	if n := s.handler(); n != "" {
		name = " (" + n + ")"
	}
	head := fmt.Sprintf("task %s%s\n%s on %s, %s, trial %s\n\n", s.fate.Task, name, s.trial.Experiment, s.trial.System, orElse(setting(s.trial.Setting), "no settings"), s.trial.ID)
	b.WriteString(printable(head))
	whoWidth := 0
	for _, e := range s.events {
		whoWidth = max(whoWidth, width(e.process))
	}
	for _, e := range s.events {
		head := fmt.Sprintf("%11s  %s  ", clock(seconds(e.mono-s.events[0].mono)), pad(e.process, whoWidth))
		for i, line := range wrap(e.text, max(40, 100-width(head))) {
			if i > 0 {
				head = strings.Repeat(" ", width(head))
			}
			b.WriteString(head + line + "\n")
		}
	}
	b.WriteByte('\n')
	for _, line := range wrap(s.ending(), 100) {
		b.WriteString(line + "\n")
	}
	for _, why := range res.Unsure {
		b.WriteString(strings.Join(wrap("The trial does not count: "+why, 100), "\n") + "\n")
	}
	return b.String()
}

// handler is the name of the task's handler, from whichever line has it.
func (s *story) handler() string {
	for _, p := range s.trial.Processes {
		f, _ := fileOf(s.files, p)
		for _, l := range f.Lines {
			if l.Name != "" && s.mine(l) {
				return l.Name
			}
		}
	}
	return ""
}
