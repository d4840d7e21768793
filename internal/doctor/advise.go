package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"

	"acklab/internal/inspect"
)

// Report is the advice on one broker.
type Report struct {
	// Broker is the URL, without a password.
	Broker string `json:"broker"`
	// Server is product and version.
	Server string `json:"server,omitempty"`
	// Findings are sorted, the worst first.
	Findings []Finding `json:"findings"`
	// Note says why there is nothing to advise on.
	Note string `json:"note,omitempty"`
}

// Advise looks at the settings of the broker at rawURL and says what they mean
// for a task queue. management is the URL of RabbitMQ's management API, or
// empty for the usual port. It changes nothing. Errors: a URL that cannot be
// read, a server that is away or refuses; none contains the password. What
// only could not be looked at is a finding.
func Advise(ctx context.Context, rawURL, management string) (*Report, error) {
	t, err := inspect.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	if management != "" && t.Kind() != inspect.RabbitMQ {
		return nil, errors.New("--management is for RabbitMQ (amqp:// and amqps://) alone")
	}
	r := &Report{Broker: t.String(), Findings: []Finding{}}
	switch t.Kind() {
	case inspect.Redis:
		err = r.redis(ctx, t)
	case inspect.RabbitMQ:
		err = r.rabbit(ctx, t, management)
	default:
		r.Note = "memory:// lives in the worker's process: it has no settings, and a crash of the process loses every task (A4)"
	}
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", t, err)
	}
	worstFirst(r.Findings)
	return r, nil
}

func (r *Report) redis(ctx context.Context, t *inspect.Target) error {
	facts, err := askRedis(ctx, t)
	if err != nil {
		return err
	}
	r.Server = inspect.RedisProduct(facts.info)
	for _, rule := range redisRules {
		r.Findings = append(r.Findings, rule(facts)...)
	}
	return nil
}

func (r *Report) rabbit(ctx context.Context, t *inspect.Target, management string) error {
	facts, err := askRabbit(ctx, t, management)
	if err != nil {
		return err
	}
	r.Server = facts.hello.Product + " " + facts.hello.Version
	for _, rule := range rabbitRules {
		r.Findings = append(r.Findings, rule(facts)...)
	}
	return nil
}

// WriteText writes the report for people. built maps a claim to the experiment
// that puts it to the test.
func (r *Report) WriteText(w io.Writer, built map[string]string) error {
	if r.Note != "" {
		_, err := fmt.Fprintln(w, r.Note)
		return err
	}
	fmt.Fprintf(w, "%s at %s, as a task queue:\n\n", r.Server, r.Broker)
	return writeFindings(w, r.Findings, built)
}

// WriteJSON writes the report as indented JSON.
func (r *Report) WriteJSON(w io.Writer) error { return writeJSON(w, r) }
