package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/result"
	"acklab/task"
)

// Config is what a Beat needs. Broker, Sources and Keeper are required.
type Config struct {
	Broker broker.Broker
	// Sources give the schedules. Of a name that several have, the first counts.
	Sources []Source
	Keeper  Keeper
	// Elector decides who leads; nil: Alone.
	Elector Elector
	// Results is asked whether a task has ended, for OverlapSkip; nil: no schedule
	// may ask for that.
	Results result.Store
	// Clock is the time by which ticks are due; nil: the real one.
	Clock Clock
	// Until ends Run when all that is due up to then has ended: what the broker does
	// not take is waited for as long as its catch-up policy wants. Zero: never.
	Until time.Time
	// Routes send the tasks of schedules that name no queue, as those of a producer
	// do. Schedulers that stand by for one another need the same.
	Routes task.Routes
	// Origin says in the messages who sent them.
	Origin string

	Ledger  *ledger.Writer
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

// Beat sends what is due, while it leads.
type Beat struct {
	cfg    Config
	loaded []loaded // by source
}

// loaded is what a source last had, and why it cannot be read; "": it can.
type loaded struct {
	schedules []version
	broken    string
}

// New makes a scheduler. It owns nothing of what it is given.
func New(cfg Config) *Beat {
	if cfg.Elector == nil {
		cfg.Elector = Alone{}
	}
	if cfg.Clock == nil {
		cfg.Clock = RealClock{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Beat{cfg: cfg, loaded: make([]loaded, len(cfg.Sources))}
}

// resignWithin bounds the polite end of a term.
const resignWithin = 5 * time.Second

// errDone: everything up to Config.Until is done.
var errDone = errors.New("done")

// Run campaigns, leads, and campaigns again, until ctx ends (nil), Until is
// reached (nil), or something is wrong that no waiting cures: the elector or the
// ledger gave up, or the schedules cannot be read at the very start. Later that
// ends nothing: one that stood by for days must be able to follow.
func (b *Beat) Run(ctx context.Context) error {
	b.cfg.Metrics.Leads(false)
	if err := b.load(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	for {
		lead, err := b.cfg.Elector.Campaign(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("become the leading scheduler: %w", err)
		}
		err = b.lead(ctx, lead)
		switch {
		case ctx.Err() != nil || errors.Is(err, errDone):
			return b.cfg.Ledger.Err()
		case errors.Is(err, ErrDeposed), errors.Is(err, errExpired):
			continue
		}
		return err
	}
}

// load reads the schedules at the start. What is wrong in a file is said by not
// beginning; a store is edited by others, whose mistake only is left out.
func (b *Beat) load(ctx context.Context) error {
	for i, source := range b.cfg.Sources {
		list, err := source.Load(ctx)
		if err != nil {
			return fmt.Errorf("read the schedules: %w", err)
		}
		b.loaded[i] = loaded{schedules: b.cfg.versions(list)}
		if _, edited := source.(Remover); edited {
			continue
		}
		for _, v := range b.loaded[i].schedules {
			if v.wrong != nil {
				return fmt.Errorf("schedule %q: %w", v.Name, v.wrong)
			}
		}
	}
	return nil
}

// lead is one term.
func (b *Beat) lead(ctx context.Context, lead Leadership) error {
	term := fmt.Sprint(int64(lead.Term()))
	if _, err := b.cfg.Ledger.Write(ledger.Line{Event: ledger.Leading, Detail: map[string]string{"term": term}}); err != nil {
		return err
	}
	b.cfg.Log.Info("leading", "term", term)
	b.cfg.Metrics.Leads(true)
	defer b.cfg.Metrics.Leads(false)

	mine, end := context.WithCancel(ctx)
	err := newTerm(b, lead).run(mine)
	end()

	line := ledger.Line{Event: ledger.Resigned, Detail: map[string]string{"term": term}}
	if errors.Is(err, ErrDeposed) || errors.Is(err, errExpired) {
		line.Event, line.Reason = ledger.Deposed, err.Error()
	}
	b.cfg.Ledger.Write(line)
	b.cfg.Log.Info(string(line.Event), "term", term, "reason", line.Reason)
	polite, cancel := context.WithTimeout(context.WithoutCancel(ctx), resignWithin)
	defer cancel()
	if e := lead.Resign(polite); e != nil {
		b.cfg.Log.Warn("the lease was not given back; it has to run out", "err", e)
	}
	return err
}
