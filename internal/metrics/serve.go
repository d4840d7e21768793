package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Flag is the command line flag that gives the address to Serve; an error
// about the address names it.
const Flag = "--metrics-addr"

// closing bounds how long Close waits for a scrape that is under way.
const closing = 2 * time.Second

// Server shows a registry over HTTP. It is safe for concurrent use.
type Server struct {
	addr net.Addr
	http *http.Server
	stop func() bool   // forgets the context that Serve was given
	done chan struct{} // closed when the accept loop has ended
	once sync.Once
	err  error
}

// Serve listens on addr and answers /metrics with what reg gathers, and
// /healthz with "ok". It adds Go's and the process's own collectors to reg
// where they are missing. An addr without a host means loopback; port 0 means
// a free one, see Addr. Serve returns at once; the server runs until ctx ends
// or Close is called. An error is one line and names the flag.
func Serve(ctx context.Context, addr string, reg *prometheus.Registry) (*Server, error) {
	for _, c := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		var twice prometheus.AlreadyRegisteredError
		if err := reg.Register(c); err != nil && !errors.As(err, &twice) {
			return nil, fmt.Errorf("register the collectors of the process: %w", err)
		}
	}
	l, err := listen(ctx, addr)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	s := &Server{
		addr: l.Addr(),
		http: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute},
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		s.http.Serve(l) // ends with ErrServerClosed, or because the listener broke: nothing is served then
	}()
	s.stop = context.AfterFunc(ctx, s.shutdown)
	return s, nil
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%s %q is not host:port (127.0.0.1:0 picks a free port)", Flag, addr)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen for metrics on %s: the port is taken; choose another with %s: %w", net.JoinHostPort(host, port), Flag, err)
	case err != nil:
		return nil, fmt.Errorf("listen for metrics on %s (%s): %w", net.JoinHostPort(host, port), Flag, err)
	}
	return l, nil
}

// Addr is the host:port that the server listens on.
func (s *Server) Addr() string { return s.addr.String() }

// Close stops the server and waits until nothing of it runs. A scrape that is
// under way gets two seconds. Calls after the first wait and return the same.
func (s *Server) Close() error {
	s.stop()
	s.shutdown()
	<-s.done
	return s.err
}

func (s *Server) shutdown() {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		defer cancel()
		if err := s.http.Shutdown(ctx); err != nil {
			s.err = s.http.Close()
		}
	})
}
