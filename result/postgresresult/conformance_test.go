package postgresresult_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/result"
	"acklab/result/resulttest"
)

func TestConformance(t *testing.T) {
	resulttest.Run(t, resulttest.Harness{Start: func(t testing.TB) *resulttest.Server {
		p := servertest.Postgres(t, server.PostgresOptions{})
		return &resulttest.Server{
			Addr: p.Addr(),
			Open: func(t testing.TB, o result.Options) result.Store { return open(t, p.URL(""), o) },
			OpenAt: func(t testing.TB, addr string, o result.Options) result.Store {
				return open(t, strings.Replace(p.URL(""), p.Addr(), addr, 1), o)
			},
			PutRaw: func(ctx context.Context, id string, text []byte) error {
				return exec(ctx, p, "UPDATE acklab_results SET meta = $2::text::json WHERE task_id = $1", id, string(text))
			},
			CloseConnections: func(ctx context.Context) error { _, err := p.CloseConnections(ctx, "test"); return err },
			Kill:             p.Kill, Restart: p.Boot, Freeze: p.Freeze, Thaw: p.Thaw,
		}
	}})
}

func exec(ctx context.Context, p *server.Postgres, statement string, args ...any) error {
	c, err := pgx.Connect(ctx, p.URL(""))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, statement, args...)
	return err
}
