package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"acklab/experiments"
	"acklab/internal/report"
)

// counter shows how far something is: a bar on a terminal, a line every few
// seconds otherwise. Nothing is shown for what is over within two seconds.
type counter struct {
	mu     sync.Mutex
	out    io.Writer
	what   string
	total  int
	begin  time.Time
	said   time.Time
	pool   *mpb.Progress
	bar    *mpb.Bar
	isTerm bool
}

// quiet is how long nothing is said; every is the pause between plain lines.
const (
	quiet = 2 * time.Second
	every = 5 * time.Second
)

func newCounter(out *os.File, what string, total int) *counter {
	return &counter{out: out, what: what, total: total, begin: time.Now(), isTerm: term.IsTerminal(int(out.Fd()))}
}

func (c *counter) set(done int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case now.Sub(c.begin) < quiet:
	case c.isTerm:
		if c.bar == nil {
			c.pool = mpb.New(mpb.WithOutput(c.out), mpb.WithWidth(60))
			c.bar = c.pool.AddBar(int64(c.total), mpb.BarRemoveOnComplete(),
				mpb.PrependDecorators(decor.Name(c.what+" "), decor.CountersNoUnit("%d of %d")))
		}
		c.bar.SetCurrent(int64(done))
	case now.Sub(c.said) >= every && done < c.total:
		c.said = now
		fmt.Fprintf(c.out, "%s %d of %d\n", c.what, done, c.total)
	}
}

// setOf is set, for a total that becomes known on the way.
func (c *counter) setOf(done, total int) {
	c.mu.Lock()
	c.total = total
	c.mu.Unlock()
	c.set(done)
}

// end takes the bar away. It may be called more than once.
func (c *counter) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bar != nil {
		c.bar.Abort(true)
		c.pool.Wait()
		c.bar, c.isTerm = nil, false
		c.begin = time.Now().Add(time.Hour) // nothing more is shown
	}
}

// runProgress shows a run: each finished cell is a line, and a bar on a
// terminal shows the trials.
type runProgress struct {
	mu     sync.Mutex
	out    *os.File
	isTerm bool
	pool   *mpb.Progress
	bar    *mpb.Bar
	total  int
	done   int
	begin  time.Time
}

func newRunProgress(out *os.File) *runProgress {
	return &runProgress{out: out, isTerm: term.IsTerminal(int(out.Fd())), begin: time.Now()}
}

// Begin implements experiments.Progress.
func (p *runProgress) Begin(plan experiments.Plan) {
	cells := 0
	for _, e := range plan.Experiments {
		for _, c := range e.Cells() {
			if c.NotRun == "" {
				cells++
				p.total += c.Trials
			}
		}
	}
	fmt.Fprintf(p.out, "%d experiments, %d cells, %d trials, about %s\n", len(plan.Experiments), cells, p.total,
		time.Duration(plan.Seconds(2)*float64(time.Second)).Round(time.Second))
	if p.isTerm {
		p.pool = mpb.New(mpb.WithOutput(p.out), mpb.WithWidth(60))
		p.bar = p.pool.AddBar(int64(p.total), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name("trials "), decor.CountersNoUnit("%d of %d")), mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO)))
	}
}

// Trial implements experiments.Progress.
func (p *runProgress) Trial(experiment string, s experiments.CellState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Control {
		if s.Reason != "" {
			p.line(fmt.Sprintf("%s %s: %s", experiment, s.Cell.System.Name, s.Reason))
		}
		return
	}
	p.done++
	if p.bar != nil {
		p.bar.SetCurrent(int64(p.done))
	}
	if s.Done < s.Of {
		return
	}
	text := fmt.Sprintf("[%3.0fs %d/%d] %s  %s %s: %s", time.Since(p.begin).Seconds(), p.done, p.total,
		experiment, s.Cell.System.Name, s.Cell.Setting, s.Outcome)
	if s.Outcome != "as predicted" {
		text += ": " + s.Reason
	}
	p.line(text)
}

// Interim implements experiments.Progress.
func (p *runProgress) Interim(run report.Run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line("\nthe answer so far:\n\n" + report.AnswerTable(run))
}

// End implements experiments.Progress.
func (p *runProgress) End() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.pool.Wait()
	}
}

// line prints above the bar.
func (p *runProgress) line(text string) {
	text = strings.TrimRight(text, "\n") + "\n"
	if p.pool != nil {
		io.WriteString(p.pool, text)
		return
	}
	io.WriteString(p.out, text)
}
