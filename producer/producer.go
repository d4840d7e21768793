package producer

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/internal/publishing"
	"acklab/task"
)

// Config is what a producer needs. Broker is required; the others may be nil.
type Config struct {
	Broker  broker.Broker
	Ledger  *ledger.Writer
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

// Producer publishes and keeps the books. It is safe for concurrent use.
type Producer struct {
	broker  broker.Broker
	ledger  *ledger.Writer
	metrics *metrics.Metrics
	log     *slog.Logger
}

// New makes a producer. It does not own the broker.
func New(cfg Config) *Producer {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Producer{broker: cfg.Broker, ledger: cfg.Ledger, metrics: cfg.Metrics, log: log}
}

// Tally counts messages by what became of their publish.
type Tally struct {
	Confirmed, Unsure, Refused int
	// First is the first error of an unsure or refused one.
	First error
}

// Total is the number of messages that were attempted.
func (t Tally) Total() int { return t.Confirmed + t.Unsure + t.Refused }

// Add joins two tallies.
func (t *Tally) Add(o Tally) {
	t.Confirmed += o.Confirmed
	t.Unsure += o.Unsure
	t.Refused += o.Refused
	if t.First == nil {
		t.First = o.First
	}
}

// Publish attempts each message once and returns what became of them, and an
// error per message as broker.Publish does. The last result is an error of
// the ledger: then nothing was published that is not in it.
func (p *Producer) Publish(ctx context.Context, msgs ...*task.Message) (Tally, []error, error) {
	for _, m := range msgs {
		if _, err := p.ledger.Write(publishing.Intent(m)); err != nil {
			return Tally{}, nil, err
		}
	}
	errs := p.broker.Publish(ctx, stamped(msgs)...)
	var tally Tally
	for i, m := range msgs {
		outcome, err := publishing.Heard(p.ledger, p.metrics, m, errs[i])
		tally.count(outcome, errs[i])
		if err != nil {
			return tally, errs, err
		}
	}
	return tally, errs, nil
}

// stamped are the messages with the moment of their publish.
func stamped(msgs []*task.Message) []*task.Message {
	now := time.Now()
	sent := make([]*task.Message, len(msgs))
	for i, m := range msgs {
		sent[i] = m.SentAt(now)
	}
	return sent
}

func (t *Tally) count(outcome ledger.Event, err error) {
	if t.First == nil {
		t.First = err
	}
	switch outcome {
	case ledger.Confirmed:
		t.Confirmed++
	case ledger.Refused:
		t.Refused++
	default:
		t.Unsure++
	}
}

// Summary says the tally in one line for a person.
func (t Tally) Summary() string {
	s := fmt.Sprintf("%d published: %d confirmed, %d unsure, %d refused", t.Total(), t.Confirmed, t.Unsure, t.Refused)
	if t.First != nil {
		s += fmt.Sprintf(" (first: %v)", t.First)
	}
	return s
}
