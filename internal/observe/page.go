package observe

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"acklab/internal/metrics"
)

// The pages that the runner serves for a trial. An answer that does not come
// makes the scrape fail, and Prometheus write up 0, which is what is to be seen
// while a server is down.
const (
	queuePath  = "/queue"
	serverPath = "/redis"
)

// pages serves what only the runner can ask the trial's server.
type pages struct {
	addr string
	http *http.Server
	done chan struct{}
}

// servePages begins to serve on a free loopback port. Each scrape asks anew,
// and has the time within for it.
func servePages(s Subject, within time.Duration) (*pages, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve the metrics of the trial's server: %w", err)
	}
	mux := http.NewServeMux()
	if s.Depth != nil {
		mux.Handle("GET "+queuePath, queuePage(s))
	}
	if s.Redis != nil {
		mux.HandleFunc("GET "+serverPath, func(w http.ResponseWriter, r *http.Request) {
			text, err := s.Redis(r.Context())
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			io.WriteString(w, text)
		})
	}
	p := &pages{addr: l.Addr().String(), done: make(chan struct{})}
	p.http = &http.Server{Handler: limited(mux, within), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(p.done)
		p.http.Serve(l) // ends with ErrServerClosed, or because the listener broke: nothing is served then
	}()
	return p, nil
}

// queuePage asks for the depth of the queue with each scrape.
func queuePage(s Subject) http.Handler {
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	show := promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		depth, err := s.Depth(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		m.QueueDepth(s.Queue, depth)
		show.ServeHTTP(w, r)
	})
}

func limited(next http.Handler, within time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), within)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// close ends the pages; scrapes under way are cut off.
func (p *pages) close() {
	p.http.Close()
	<-p.done
}
