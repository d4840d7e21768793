package redisclient

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// lines takes what go-redis would write to stderr, for the whole process, to
// the log that was named last: go-redis has one logger only.
type lines struct{ to atomic.Pointer[slog.Logger] }

var redisLines lines

// go-redis reads its logger without a lock, so it is set before anything runs.
func init() { redis.SetLogger(&redisLines) }

// LogTo names where the process's lines of go-redis go; nil changes nothing.
func LogTo(to *slog.Logger) {
	if to != nil {
		redisLines.to.Store(to)
	}
}

// Printf is called by go-redis.
func (l *lines) Printf(ctx context.Context, format string, args ...any) {
	if to := l.to.Load(); to != nil {
		to.DebugContext(ctx, fmt.Sprintf(format, args...), "from", "go-redis")
	}
}
