package experiments

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"acklab/internal/minder"
	"acklab/internal/server"
)

// servers are the private servers of a run: one of each kind that trials
// share, and those that a trial breaks and so has for itself.
type servers struct {
	minder *minder.Minder
	mu     sync.Mutex
	shared map[ServerSpec]map[ServerKind]server.Server
	// versions of what was started, for the report.
	versions map[string]string
}

func newServers(m *minder.Minder) *servers {
	return &servers{minder: m, shared: map[ServerSpec]map[ServerKind]server.Server{}, versions: map[string]string{}}
}

// get starts the server that the cell asks for, or hands out the shared one.
func (s *servers) get(ctx context.Context, kind ServerKind, spec ServerSpec) (server.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if srv := s.shared[spec][kind]; srv != nil && !spec.Own {
		return srv, nil
	}
	srv, err := s.start(ctx, kind, spec)
	if err != nil {
		return nil, err
	}
	s.versions[srv.Name()] = srv.Version(ctx) // the lock is held
	if !spec.Own {
		if s.shared[spec] == nil {
			s.shared[spec] = map[ServerKind]server.Server{}
		}
		s.shared[spec][kind] = srv
	}
	return srv, nil
}

func (s *servers) start(ctx context.Context, kind ServerKind, spec ServerSpec) (server.Server, error) {
	switch kind {
	case RedisServer:
		return server.StartRedis(ctx, s.minder, server.RedisOptions{Persistence: server.Persistence(spec.Persistence), Trace: spec.Trace})
	case RabbitMQ:
		return server.StartRabbit(ctx, s.minder, server.RabbitOptions{Plugins: server.Plugins{Prometheus: spec.Exporter}, Trace: spec.Trace})
	case Postgres:
		return server.StartPostgres(ctx, s.minder, server.PostgresOptions{})
	}
	return nil, fmt.Errorf("no server of kind %q can be started", kind)
}

// used notes the version of something else that took part.
func (s *servers) used(name, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions[name] = version
}

// done gives back what a trial used: its own server is closed with its client,
// its queues on a shared RabbitMQ are deleted, with the dead letters and the
// delay queues.
func (s *servers) done(ctx context.Context, t *Trial) error {
	if t.server == nil {
		return nil
	}
	if t.cell.Server.Own {
		return errors.Join(t.run.closeClient(ctx, t.url), t.server.Close(ctx))
	}
	if rabbit, ok := t.server.(*server.Rabbit); ok {
		for _, q := range t.declared() {
			if err := errors.Join(rabbit.DeleteQueue(ctx, q), rabbit.DeleteQueue(ctx, q+".dead")); err != nil {
				return err
			}
		}
		return rabbit.DeleteQueuesUnder(ctx, t.queue+".delay")
	}
	return nil
}

// available says whether what the cell asks of its server can be had here; the error
// is one line that says how to get it.
func (s ServerSpec) available() error {
	if !s.Trace {
		return nil
	}
	_, err := server.FindStrace()
	return err
}

// available says whether the system can be had here; the error is one line that
// says how to get what is missing.
func (s System) available() error {
	if s.Celery {
		if _, err := findCelery(); err != nil {
			return err
		}
	}
	return s.Kind.available()
}

// available says whether the kind of server can be started here; the error is
// one line that names the package.
func (k ServerKind) available() error {
	var err error
	switch k {
	case RedisServer:
		_, err = server.FindRedis()
	case RabbitMQ:
		_, err = server.FindRabbit()
	case Postgres:
		_, err = server.FindPostgres()
	}
	return err
}
