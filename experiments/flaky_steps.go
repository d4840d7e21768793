package experiments

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"acklab/internal/ledger"
)

const (
	flakyRequests = "requests"              // by the service's own count
	flakyUnasked  = "requests_beyond_tries" // of these, how many no try accounts for
)

// WithFlakyService carries out steps beside a web service of this process
// that answers 503 to each request with chance rate, drawn from the trial's
// seed. Then it measures how many requests the service has counted. The steps
// must end with the last task.
func WithFlakyService(rate float64, steps func(url string) []Step) Step {
	return Step{fmt.Sprintf("work against a service that fails at a rate of %g", rate), func(ctx context.Context, t *Trial) (err error) {
		service := &flaky{rate: rate, rng: rand.New(rand.NewPCG(t.rng.Uint64(), t.rng.Uint64()))}
		end, url, err := service.start()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
		for _, step := range steps(url) {
			if err := step.Do(ctx, t); err != nil {
				return fmt.Errorf("%s: %w", step.Name, err)
			}
		}
		return service.measure(t)
	}}
}

// flaky is a web service that fails at a set rate and counts its requests.
type flaky struct {
	rate float64

	mu       sync.Mutex
	rng      *rand.Rand
	requests int
}

// ServeHTTP implements http.Handler.
func (f *flaky) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if f.fails() {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "here you are")
}

func (f *flaky) fails() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	return f.rng.Float64() < f.rate
}

// start serves on a free port of loopback until end is called.
func (f *flaky) start() (end func() error, url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("start the flaky service: %w", err)
	}
	server := &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return func() error {
		err := server.Close()
		if serving := <-served; !errors.Is(serving, http.ErrServerClosed) {
			err = errors.Join(err, serving)
		}
		return err
	}, "http://" + listener.Addr().String() + "/", nil
}

// measure compares the requests with the tries that the worker began.
func (f *flaky) measure(t *Trial) error {
	lines, err := t.read(cleanWorker)
	if err != nil {
		return err
	}
	began := 0
	for _, l := range lines {
		if l.Event == ledger.Started {
			began++
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(t.Measure(flakyRequests, float64(f.requests)), t.Measure(flakyUnasked, float64(f.requests-began)))
}
