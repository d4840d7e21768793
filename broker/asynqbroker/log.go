package asynqbroker

import (
	"context"
	"fmt"
	"log/slog"
)

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
