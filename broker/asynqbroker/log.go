package asynqbroker

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// redisLog takes what go-redis would write to stderr, for the whole process,
// to the log of the broker that was opened last: go-redis has one logger only.
type redisLog struct{ to atomic.Pointer[slog.Logger] }

var redisLines redisLog

// go-redis reads its logger without a lock, so it is set before anything runs.
func init() { redis.SetLogger(&redisLines) }

// Printf is called by go-redis.
func (l *redisLog) Printf(ctx context.Context, format string, args ...any) {
	if to := l.to.Load(); to != nil {
		to.DebugContext(ctx, fmt.Sprintf(format, args...), "from", "go-redis")
	}
}

// asynqLog is an asynq.Logger. asynq warns about each rejected task, which is
// no news here, and its Fatal asks to exit, which a library must not.
type asynqLog struct{ to *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.write(slog.LevelDebug, args) }
func (l asynqLog) Info(args ...any)  { l.write(slog.LevelDebug, args) }
func (l asynqLog) Warn(args ...any)  { l.write(slog.LevelDebug, args) }
func (l asynqLog) Error(args ...any) { l.write(slog.LevelWarn, args) }
func (l asynqLog) Fatal(args ...any) { l.write(slog.LevelError, args) }

func (l asynqLog) write(level slog.Level, args []any) {
	l.to.Log(context.Background(), level, fmt.Sprint(args...), "from", "asynq")
}
