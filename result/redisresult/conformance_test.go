package redisresult_test

import (
	"context"
	"testing"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/result"
	"acklab/result/resulttest"
)

func TestConformance(t *testing.T) {
	resulttest.Run(t, resulttest.Harness{Start: func(t testing.TB) *resulttest.Server {
		r := servertest.Redis(t, server.RedisOptions{Persistence: server.AOFAlways})
		return &resulttest.Server{
			Addr: r.Addr(),
			Open: func(t testing.TB, o result.Options) result.Store { return open(t, r.URL(""), o) },
			OpenAt: func(t testing.TB, addr string, o result.Options) result.Store {
				return open(t, "redis://"+addr+"/0", o)
			},
			PutRaw: func(ctx context.Context, id string, text []byte) error {
				c := r.Client()
				defer c.Close()
				return c.Set(ctx, "celery-task-meta-"+id, text, 0).Err()
			},
			CloseConnections: func(ctx context.Context) error { _, err := r.CloseConnections(ctx, "test"); return err },
			Kill:             r.Kill, Restart: r.Boot, Freeze: r.Freeze, Thaw: r.Thaw,
		}
	}})
}
