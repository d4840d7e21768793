package experiments

import (
	"context"
	"errors"
	"fmt"

	"acklab/internal/connect"
	"acklab/internal/server"
	"acklab/result"
)

// ResultSpec says where the workers of a cell store results.
type ResultSpec struct {
	// Store is memory, redis or postgres; empty: nowhere.
	Store string
	// Persistence of Redis; empty: none.
	Persistence string
	// Own: a server for this trial alone, because the trial breaks it.
	Own bool
	// Expires is the option of the URL; empty: its default.
	Expires string
}

// The result stores.
const (
	inMemory   = "memory"
	inRedis    = "redis"
	inPostgres = "postgres"
)

// kind is the server that the store needs.
func (s ResultSpec) kind() ServerKind {
	switch s.Store {
	case inRedis:
		return RedisServer
	case inPostgres:
		return Postgres
	}
	return NoServer
}

// available says why the store cannot be had here.
func (s ResultSpec) available() error { return s.kind().available() }

// setUpResults starts the server of the result store, if the cell has one.
func (t *Trial) setUpResults(ctx context.Context) (err error) {
	spec := t.cell.Results
	if spec.kind() == NoServer {
		if spec.Store == inMemory {
			t.resultURL = "memory://"
		}
		return nil
	}
	t.resultServer, err = t.run.servers.get(ctx, spec.kind(), ServerSpec{Own: spec.Own, Persistence: spec.Persistence})
	if err != nil {
		return err
	}
	t.resultURL = t.resultServer.URL("")
	if spec.Store == inRedis {
		t.resultURL = "redis://" + t.resultServer.Addr() + "/1" // 0 may be a broker's
	}
	if spec.Expires != "" {
		t.resultURL = withOptions(t.resultURL, []string{"expires=" + spec.Expires})
	}
	return nil
}

// tearDownResults ends the trial's client, and its own server.
func (t *Trial) tearDownResults(ctx context.Context) error {
	var errs []error
	if t.resultClient != nil {
		errs = append(errs, t.resultClient.Close(ctx))
	}
	if t.resultServer != nil && t.cell.Results.Own {
		errs = append(errs, t.resultServer.Close(ctx))
	}
	return errors.Join(errs...)
}

// results is the trial's own client of the result store.
func (t *Trial) results(ctx context.Context) (result.Store, error) {
	if t.resultClient != nil {
		return t.resultClient, nil
	}
	store, err := connect.OpenResult(ctx, t.resultURL, result.Options{Log: t.run.log})
	if err != nil {
		return nil, fmt.Errorf("open the result store: %w", err)
	}
	t.resultClient = store
	return store, nil
}

// ask fetches a result from a store that may have been restarted: the calls that
// find the old connections dead fail.
func ask(ctx context.Context, store result.Store, id string) (result.Result, error) {
	for {
		r, err := store.Get(ctx, id)
		if !errors.Is(err, result.ErrUnavailable) || ctx.Err() != nil {
			return r, err
		}
		if err := pause(ctx, pollEvery); err != nil {
			return r, err
		}
	}
}

// theResults is the server of the result store, for faults.
func (t *Trial) theResults() (server.Server, error) {
	if t.resultServer == nil {
		return nil, errors.New("this trial has no server for results")
	}
	return t.resultServer, nil
}
