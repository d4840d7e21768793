package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"acklab/broker"
	"acklab/internal/connect"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/internal/plant"
)

// processFlags are those of every room that is a process.
type processFlags struct {
	broker      string
	logLevel    string
	metricsAddr string
	ledger      string
	ledgerName  string
}

func (f *processFlags) add(cmd *cobra.Command) {
	f.addBroker(cmd)
	cmd.Flags().StringVarP(&f.logLevel, "loglevel", "l", "info", "debug, info, warn or error")
	cmd.Flags().StringVar(&f.metricsAddr, metrics.Flag[2:], "127.0.0.1:0", "address of /metrics; port 0 picks a free one, empty: none")
	cmd.Flags().StringVar(&f.ledger, "ledger", "", "write what this process sees to this new file; a path that ends in / is a folder: a new file in it")
	cmd.Flags().StringVar(&f.ledgerName, "ledger-name", "", "name of this process in its ledger")
	cmd.Flags().MarkHidden("ledger-name")
}

func (f *processFlags) addBroker(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.broker, "broker", "b", os.Getenv("ACKLAB_BROKER_URL"), "broker URL: "+connect.Schemes)
	cmd.Flags().Lookup("broker").DefValue = "$ACKLAB_BROKER_URL"
}

// process is what a room needs beside its own settings.
type process struct {
	log     *slog.Logger
	ledger  *ledger.Writer
	metrics *metrics.Metrics
	server  *metrics.Server
	plant   *plant.Plant

	announced sync.Once
}

// open starts logging, metrics and ledger.
func (f *processFlags) open(ctx context.Context, role string) (*process, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, fmt.Errorf("--loglevel %q: use debug, info, warn or error", f.logLevel)
	}
	p := &process{log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))}
	if f.metricsAddr != "" {
		reg := prometheus.NewRegistry()
		p.metrics = metrics.New(reg)
		var err error
		if p.server, err = metrics.Serve(ctx, f.metricsAddr, reg); err != nil {
			return nil, err
		}
	}
	if f.ledger != "" {
		name := f.ledgerName
		if name == "" {
			name = role
		}
		var err error
		p.ledger, err = ledger.Create(ledgerFile(f.ledger, name), map[string]string{"name": name, "role": role, "pid": fmt.Sprint(os.Getpid())})
		if err != nil {
			p.closeMetrics()
			return nil, err
		}
	}
	var err error
	if p.plant, err = plant.FromEnv(p.ledger); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// announce says once where the metrics are. It is for the moment at which the
// process has begun its work: one that cannot begin says why, and no more.
func (p *process) announce() {
	p.announced.Do(func() {
		if p.server != nil {
			p.log.Info("metrics", "url", "http://"+p.server.Addr()+"/metrics")
		}
	})
}

// announcing is opts that announce the metrics with the first session of a
// consumer.
func (p *process) announcing(opts broker.Options) broker.Options {
	observe := opts.Observe
	opts.Observe = func(e broker.Event) {
		if e.Kind == broker.Connected && e.Session > 0 {
			p.announce()
		}
		if observe != nil {
			observe(e)
		}
	}
	return opts
}

// connect opens the broker that the flags name.
func (f *processFlags) connect(ctx context.Context, p *process, opts broker.Options) (broker.Broker, error) {
	if opts.Log == nil {
		opts.Log = p.log
	}
	b, err := connect.Open(ctx, f.broker, p.plant.Options(opts))
	if err != nil {
		return nil, err
	}
	return p.plant.Wrap(b), nil
}

// close ends metrics and ledger; the error is the ledger's.
func (p *process) close() error {
	p.closeMetrics()
	return p.ledger.Close()
}

func (p *process) closeMetrics() {
	if p.server != nil {
		p.server.Close()
	}
}

// splitList reads "high, low".
func splitList(s string) []string {
	var out []string
	for _, word := range strings.Split(s, ",") {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}
