package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/internal/server/disk"
)

func needStrace(t *testing.T) {
	t.Helper()
	if _, err := FindStrace(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install strace)")
	}
}

// push appends numbers to a list, one by one, for so long, and returns how many were
// acknowledged.
func push(t *testing.T, r *Redis, during time.Duration) (acked int64) {
	t.Helper()
	c := r.Client()
	defer c.Close()
	for end := time.Now().Add(during); time.Now().Before(end); acked++ {
		do(t, "push", c.RPush(t.Context(), "queue", acked).Err())
	}
	return acked
}

func held(t *testing.T, r *Redis) int64 {
	t.Helper()
	c := r.Client()
	defer c.Close()
	n, err := c.LLen(t.Context(), "queue").Result()
	do(t, "length", err)
	return n
}

func empty(t *testing.T, r *Redis) {
	t.Helper()
	c := r.Client()
	defer c.Close()
	do(t, "begin with an empty list", c.Del(t.Context(), "queue").Err())
}

// cut cuts the power, says what it took, and boots the server again.
func cut(t *testing.T, s Server) disk.Outcome {
	t.Helper()
	began := time.Now()
	out, err := s.CutPower(t.Context())
	do(t, "cut the power", err)
	t.Logf("the power was cut in %v", time.Since(began))
	for _, f := range out.Files {
		t.Logf("%s: written %d, lost %d (the oldest %v old), syncs %d, size %d -> %d", f.Path, f.Written, f.Lost, f.Age, f.Syncs, f.Before, f.After)
	}
	for _, u := range out.Undone {
		t.Log("undone: " + u)
	}
	reboot(t, s)
	return out
}

func TestAPowerCutTakesWhatWasNotSyncedAndASIGKILLDoesNot(t *testing.T) {
	t.Parallel()
	needStrace(t)
	m := keep(t)
	for mode, want := range map[Persistence]struct{ killed, cut func(kept, acked int64) bool }{
		None:        {nothing, nothing},
		RDB:         {nothing, nothing}, // no save point is reached
		RDB1s:       {some, some},       // what came after the last snapshot
		AOFNo:       {everything, nothing},
		AOFEverySec: {most, some},
		AOFAlways:   {everything, everything},
		RDBAndAOF:   {most, some},
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			r := startRedis(t, m, RedisOptions{Persistence: mode, Trace: true})
			acked := stream(t, r, mode)
			do(t, "kill", r.Kill(t.Context()))
			reboot(t, r)
			if kept := held(t, r); acked < 100 || !want.killed(kept, acked) {
				t.Errorf("after SIGKILL %d of %d acknowledged writes are there", kept, acked)
			}
			empty(t, r)
			acked = stream(t, r, mode)
			out := cut(t, r)
			kept := held(t, r)
			t.Logf("%s: %d of %d acknowledged writes are there after the power cut", mode, kept, acked)
			if acked < 100 || !want.cut(kept, acked) {
				t.Errorf("after the power cut %d of %d acknowledged writes are there", kept, acked)
			}
			if strings.Contains(string(mode), "everysec") {
				losesASecond(t, out)
			}
			do(t, "close", r.Close(t.Context()))
		})
	}
}

// stream pushes for two seconds, and where Redis makes a snapshot every other second,
// waits for one and pushes a little more.
func stream(t *testing.T, r *Redis, mode Persistence) int64 {
	t.Helper()
	acked := push(t, r, 2*time.Second)
	if mode != RDB1s {
		return acked
	}
	c := r.Client()
	defer c.Close()
	for {
		info, err := c.Info(t.Context(), "persistence").Result()
		do(t, "info", err)
		if strings.Contains(info, "rdb_changes_since_last_save:0\r") && strings.Contains(info, "rdb_bgsave_in_progress:0\r") {
			return acked + push(t, r, 100*time.Millisecond)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// losesASecond: what is lost is younger than a second and the time of a sync, which on a
// loaded disk Redis lets take a second more.
func losesASecond(t *testing.T, out disk.Outcome) {
	t.Helper()
	for _, f := range out.Files {
		if strings.HasSuffix(f.Path, ".incr.aof") && (f.Lost == 0 || f.Age > 3*time.Second || f.Syncs < 2) {
			t.Errorf("after four seconds of writes: %+v", f)
		}
	}
}

func nothing(kept, _ int64) bool        { return kept == 0 }
func everything(kept, acked int64) bool { return kept == acked }

// most: while a sync of the background thread takes long, Redis answers clients and
// keeps what it would write in its own memory, for up to two seconds (aof.c, "postponed"
// flush). A SIGKILL takes that.
func most(kept, acked int64) bool { return kept > acked/10 }

func some(kept, acked int64) bool { return 0 < kept && kept < acked }

func TestAPoliteStopSavesWhatAPowerCutAfterwardsCannotTake(t *testing.T) {
	t.Parallel()
	needStrace(t)
	r := startRedis(t, keep(t), RedisOptions{Persistence: RDB, Trace: true})
	acked := push(t, r, 200*time.Millisecond)
	do(t, "stop", r.Stop(t.Context()))
	reboot(t, r)
	cut(t, r)
	if kept := held(t, r); !everything(kept, acked) {
		t.Errorf("%d of %d are there: Redis saves at SIGTERM when it has save points", kept, acked)
	}
	push(t, r, 200*time.Millisecond)
	cut(t, r) // the folder that the first cut left is where the second begins
	if kept := held(t, r); !everything(kept, acked) {
		t.Errorf("%d of %d are there after a second power cut", kept, acked)
	}
}

func TestRedisRewritesItsFileUnderTheTrace(t *testing.T) {
	t.Parallel()
	needStrace(t)
	ctx := t.Context()
	r := startRedis(t, keep(t), RedisOptions{Persistence: AOFAlways, Trace: true})
	acked := push(t, r, 200*time.Millisecond)
	c := r.Client()
	defer c.Close()
	do(t, "rewrite", c.BgRewriteAOF(ctx).Err())
	for {
		info, err := c.Info(ctx, "persistence").Result()
		do(t, "info", err)
		if strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0") && strings.Contains(info, "aof_last_bgrewrite_status:ok") {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	do(t, "after the rewrite", c.RPush(ctx, "queue", "last").Err())
	out := cut(t, r)
	if kept := held(t, r); kept != acked+1 {
		t.Errorf("%d of %d are there", kept, acked+1)
	}
	for _, f := range out.Files {
		if f.Path == filepath.Join("appendonlydir", "appendonly.aof.2.base.rdb") && f.After > 0 {
			return
		}
	}
	t.Errorf("no new base file: %+v", out.Files)
}

func TestRabbitKeepsWhatItConfirmedThroughAPowerCut(t *testing.T) {
	t.Parallel()
	needStrace(t)
	ctx := t.Context()
	r := startRabbit(t, keep(t), RabbitOptions{Trace: true})
	conn, err := r.dial(ctx)
	do(t, "dial", err)
	ch, err := conn.Channel()
	do(t, "channel", err)
	do(t, "confirm", ch.Confirm(false))
	queues := []string{"classic", "quorum"}
	for _, q := range queues {
		_, err := ch.QueueDeclare(q, true, false, false, false, amqp.Table{"x-queue-type": q})
		do(t, "declare", err)
	}
	do(t, "settle", r.Settle(ctx))
	const load = 300
	for i := range 2 * load {
		size := 20
		if i%10 == 0 {
			size = 5000 // too long for the queue's index: goes to the message store
		}
		c, err := ch.PublishWithDeferredConfirm("", queues[i%2], true, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, Body: []byte(strings.Repeat("x", size)),
		})
		do(t, "publish", err)
		if !c.Wait() {
			t.Fatal("not confirmed")
		}
	}
	conn.close()
	cut(t, r)
	for _, q := range queues {
		within, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		for {
			v, err := r.Queue(within, q) // a quorum queue needs half a second to elect its leader
			if err == nil && v.Ready == load {
				break
			}
			if within.Err() != nil {
				t.Errorf("%s: %+v, %v, want all %d confirmed messages", q, v, err, load)
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

func TestAPowerCutIsRefusedWhereNobodyCanTellWhatItWouldLeave(t *testing.T) {
	t.Parallel()
	needStrace(t)
	ctx := t.Context()
	m := keep(t)
	plain := startRedis(t, m, RedisOptions{})
	if _, err := plain.CutPower(ctx); !errors.Is(err, ErrNotTraced) || plain.Traced() {
		t.Errorf("not traced: %v", err)
	}
	do(t, "it goes on", plain.Probe(ctx))

	r := startRedis(t, m, RedisOptions{Persistence: AOFAlways, Trace: true})
	if err := r.Freeze(ctx); !errors.Is(err, ErrTraced) {
		t.Errorf("freeze of a traced server: %v", err)
	}
	acked := push(t, r, 50*time.Millisecond)
	do(t, "write", os.WriteFile(filepath.Join(r.Dir(), "stranger"), nil, 0o600))
	if _, err := r.CutPower(ctx); !errors.Is(err, disk.ErrUnknown) || !strings.Contains(err.Error(), "stranger") {
		t.Errorf("with a file that the server did not write: %v", err)
	}
	if _, err := r.CutPower(ctx); !errors.Is(err, ErrNotRunning) {
		t.Errorf("of a dead server: %v", err)
	}
	reboot(t, r)
	if kept := held(t, r); kept != acked {
		t.Errorf("%d of %d are there: a power cut that was refused leaves what a SIGKILL leaves", kept, acked)
	}
	if _, err := r.CutPower(ctx); !errors.Is(err, disk.ErrUnknown) {
		t.Errorf("after that: %v", err)
	}
}

func TestATracedServerLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	needStrace(t)
	m := keep(t) // looks for processes and folders in the end
	r := startRedis(t, m, RedisOptions{Persistence: AOFAlways, Trace: true})
	traces := r.tracing.dir
	push(t, r, 20*time.Millisecond)
	do(t, "close", r.Close(t.Context()))
	if _, err := os.Stat(traces); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of the traces after Close: %v", err)
	}
	startRedis(t, m, RedisOptions{Trace: true}) // the minder ends this one
}

func TestWhatATraceCosts(t *testing.T) {
	needStrace(t)
	m := keep(t)
	for _, mode := range []Persistence{None, AOFEverySec, AOFAlways} {
		var rate [2]float64
		for i, traced := range []bool{false, true} {
			r := startRedis(t, m, RedisOptions{Persistence: mode, Trace: traced})
			rate[i] = float64(push(t, r, time.Second/4)) * 4
			do(t, "close", r.Close(t.Context()))
		}
		t.Logf("%s, one client: %.0f writes/s, traced %.0f, ratio %.2f", mode, rate[0], rate[1], rate[1]/rate[0])
	}
}
