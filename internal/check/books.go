package check

import (
	"fmt"
	"syscall"

	"acklab/internal/ledger"
)

// open takes the ledger of every process of the manifest and notes what is
// wrong with it or with the way the process ended.
func (h *history) open(files map[string]ledger.File) {
	if len(h.trial.Processes) == 0 {
		h.note("the manifest names no process")
	}
	names, paths := map[string]bool{}, map[string]bool{}
	for i, p := range h.trial.Processes {
		b := &book{index: i, proc: p}
		h.books = append(h.books, b)
		if names[p.Name] {
			h.note("two processes are named %s", p.Name)
		}
		names[p.Name] = true
		h.ending(b)
		switch file, ok := files[p.File]; {
		case p.File == "" || !ok:
			h.note("the ledger of %s is missing", p.Name)
		case paths[p.File]:
			h.note("the ledger %s belongs to two processes", p.File)
		default:
			b.lines, b.torn = file.Lines, file.Torn
			h.wholeness(b, file)
		}
		paths[p.File] = true
	}
}

// note makes the trial unsure, and its ledgers no proof of an absence.
func (h *history) note(format string, args ...any) {
	h.unsure.add(format, args...)
	h.whole = false
}

// killed tells whether the process died as it was meant to: by signal 9.
func (b *book) killed() bool { return b.proc.Killed && b.proc.Signal == int(syscall.SIGKILL) }

// ending checks how the process ended. The runner has no say in its own end:
// that its ledger is closed must do.
func (h *history) ending(b *book) {
	p := b.proc
	switch {
	case b.runner():
	case p.End == 0:
		h.note("%s never ended", p.Name)
	case b.killed():
	case p.Killed && p.Signal != 0:
		h.note("%s was to be killed by signal 9 but ended by signal %d", p.Name, p.Signal)
	case p.Killed:
		h.note("%s was to be killed but ended by itself with exit status %d", p.Name, p.Code)
	case p.Signal != 0:
		h.note("%s ended by signal %d, and nobody meant it to", p.Name, p.Signal)
	case p.Code != 0:
		h.note("%s ended with exit status %d", p.Name, p.Code)
	}
}

// wholeness checks the ledger itself. A kill explains that closed is missing
// and that the last line is torn, and nothing else: a gap is never explained.
// A file that was closed before its process was killed is whole; that the kill
// came too late to matter is for the evidence of the fault to say.
func (h *history) wholeness(b *book, f ledger.File) {
	name := b.proc.Name
	if f.Damage != "" {
		h.note("the ledger of %s is damaged: %s", name, f.Damage)
	}
	if f.Torn && !b.killed() {
		h.note("the ledger of %s ends in the middle of a line", name)
	}
	if !f.Closed() && !b.killed() {
		h.note("the ledger of %s does not end with closed", name)
	}
	h.clockwork(b)
}

// clockwork checks that the lines were written while the process lived: a
// ledger from elsewhere, or one that somebody else went on writing, is caught
// here.
func (h *history) clockwork(b *book) {
	var last int64
	for _, l := range b.lines {
		where := fmt.Sprintf("line %d of %s", l.Seq, b.proc.Name)
		switch {
		case l.Mono < last:
			h.note("the clock runs backwards in %s", where)
			return
		case !b.runner() && b.proc.Start > l.Mono:
			h.note("%s is older than its process", where)
			return
		case !b.runner() && b.proc.End != 0 && l.Mono > b.proc.End:
			h.note("%s is younger than its process", where)
			return
		}
		last = l.Mono
	}
}
