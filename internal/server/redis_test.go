package server

import (
	"errors"
	"net"
	"strings"
	"testing"

	"acklab/internal/minder"
)

func TestARedisServerLivesThroughItsFaults(t *testing.T) {
	t.Parallel()
	lives(t, startRedis(t, keep(t), RedisOptions{}))
}

func TestWhatRedisKeepsDependsOnItsPersistence(t *testing.T) {
	t.Parallel()
	m := keep(t)
	for mode, kept := range map[Persistence]struct{ killed, stopped int64 }{
		None:        {0, 0},
		RDB:         {0, 100}, // no save point is reached, but a polite stop saves
		AOFNo:       {100, 100},
		AOFEverySec: {100, 100},
		AOFAlways:   {100, 100},
		RDBAndAOF:   {100, 100},
	} {
		t.Run(string(mode), func(t *testing.T) {
			ctx := t.Context()
			r := startRedis(t, m, RedisOptions{Persistence: mode})
			push := func() {
				c := r.Client()
				defer c.Close()
				for i := range 100 {
					do(t, "push", c.RPush(ctx, "queue", i).Err())
				}
			}
			held := func() int64 {
				c := r.Client()
				defer c.Close()
				n, err := c.LLen(ctx, "queue").Result()
				do(t, "length", err)
				do(t, "delete", c.Del(ctx, "queue").Err())
				return n
			}
			push()
			do(t, "kill", r.Kill(ctx))
			reboot(t, r)
			if n := held(); n != kept.killed {
				t.Errorf("after SIGKILL %d of 100 are held, want %d", n, kept.killed)
			}
			push()
			do(t, "stop", r.Stop(ctx))
			reboot(t, r)
			if n := held(); n != kept.stopped {
				t.Errorf("after SIGTERM %d of 100 are held, want %d", n, kept.stopped)
			}
			do(t, "close", r.Close(ctx))
		})
	}
}

func TestRedisClosesTheConnectionsOfItsClients(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := startRedis(t, keep(t), RedisOptions{})
	for range 200 {
		do(t, "probe", r.Probe(ctx)) // its connection is no client's
		if n, err := r.CloseConnections(ctx, "test"); n != 0 || err != nil {
			t.Errorf("without clients: %d, %v", n, err)
		}
	}
	c := r.Client()
	defer c.Close()
	waits := make(chan error, 1)
	sub := c.Subscribe(ctx, "channel")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	blocking := c.Conn()
	defer blocking.Close()
	do(t, "ping", blocking.Ping(ctx).Err())
	go func() { waits <- blocking.BLPop(ctx, 0, "queue").Err() }()
	if n, err := r.CloseConnections(ctx, "test"); n != 2 || err != nil {
		t.Errorf("closed %d, %v, want a blocked client and a subscriber", n, err)
	}
	if err := <-waits; err == nil {
		t.Error("the blocked client did not notice")
	}
	do(t, "probe", r.Probe(ctx))
}

func TestRedisOptionsReachTheServer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := startRedis(t, keep(t), RedisOptions{Password: "s3cret", Args: []string{"--maxmemory", "3mb", "--maxmemory-policy", "noeviction"}})
	do(t, "probe", r.Probe(ctx))
	if got := r.URL("asynq"); got != "asynq://:s3cret@"+r.Addr()+"/0" {
		t.Errorf("URL = %s", got)
	}
	c := r.Client()
	defer c.Close()
	if v := c.ConfigGet(ctx, "maxmemory").Val()["maxmemory"]; v != "3145728" {
		t.Errorf("maxmemory = %s", v)
	}
	do(t, "shrink", c.ConfigSet(ctx, "maxmemory", "1").Err())
	if err := r.Probe(ctx); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("probe of a full server: %v", err)
	}
	if _, err := StartRedis(ctx, keep(t), RedisOptions{Persistence: "often"}); err == nil || !strings.Contains(err.Error(), `unknown persistence "often"`) {
		t.Errorf("an unknown persistence: %v", err)
	}
	if _, err := StartRedis(ctx, keep(t), RedisOptions{Args: []string{"--no-such-setting", "1"}}); err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("an unknown setting: %v", err)
	}
}

// thief picks ports of which the first few are then taken by somebody else.
type thief struct {
	t     *testing.T
	takes int
	picks int
}

func (p *thief) pick() (int, error) {
	port, err := freePorts.pick()
	if err != nil {
		return 0, err
	}
	p.picks++
	if p.picks <= p.takes {
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			return 0, err
		}
		p.t.Cleanup(func() { l.Close() })
	}
	return port, nil
}

func TestRedisTakesAnotherPortWhenItsPortIsTaken(t *testing.T) {
	t.Parallel()
	m := keep(t)
	for takes, picks := range map[int]int{0: 1, 2: 3, attempts - 1: attempts} {
		p := &thief{t: t, takes: takes}
		r := startRedis(t, m, RedisOptions{pick: p.pick})
		if p.picks != picks {
			t.Errorf("%d ports stolen, %d picked, want %d", takes, p.picks, picks)
		}
		do(t, "probe", r.Probe(t.Context()))
		do(t, "close", r.Close(t.Context()))
	}
	p := &thief{t: t, takes: attempts}
	if _, err := StartRedis(t.Context(), m, RedisOptions{pick: p.pick}); err == nil || p.picks != attempts {
		t.Errorf("all ports stolen: %v after %d picks", err, p.picks)
	}
}

func TestRedisDoesNotMistakeAStrangerForItself(t *testing.T) {
	t.Parallel()
	m := keep(t)
	first := startRedis(t, m, RedisOptions{})
	picks := 0
	second := startRedis(t, m, RedisOptions{pick: func() (int, error) {
		if picks++; picks == 1 {
			return first.port, nil // where another Redis answers
		}
		return freePorts.pick()
	}})
	if second.Addr() == first.Addr() || picks != 2 {
		t.Errorf("%s and %s after %d picks", first.Addr(), second.Addr(), picks)
	}
	do(t, "kill", second.Kill(t.Context()))
	second.port = first.port
	second.mu.Lock()
	alive, err := m.Run(minder.Spec{Argv: []string{"sleep", "1000"}})
	second.proc = alive
	second.mu.Unlock()
	do(t, "run", err)
	if err := second.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "answers, but") {
		t.Errorf("the probe took a stranger for its server: %v", err)
	}
}

func TestAMissingProgramIsNamedWithItsPackage(t *testing.T) {
	t.Setenv(RedisVariable, "/no/such/redis-server")
	t.Setenv(RabbitVariable, "/no/such/rabbitmq_server-4.0.0")
	m := keep(t)
	for tool, err := range map[string]error{
		"redis-server":    second(StartRedis(t.Context(), m, RedisOptions{})),
		"rabbitmq-server": second(StartRabbit(t.Context(), m, RabbitOptions{})),
	} {
		var missing *MissingError
		if !errors.As(err, &missing) || missing.Tool != tool {
			t.Errorf("%s: %v, want a *MissingError", tool, err)
			continue
		}
		for _, part := range []string{tool + " is not installed", "/no/such/", "install it with: ", "install " + strings.TrimSuffix(tool, "-server")} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
	t.Setenv("PATH", "/no/such/folder")
	if _, err := findErlang(); err == nil || !strings.HasPrefix(err.Error(), "erl is not installed; install it with: ") {
		t.Errorf("without erl: %v", err)
	}
	t.Setenv(RedisVariable, "/bin/true")
	if _, err := FindRedis(); err == nil || !strings.Contains(err.Error(), "does not say a version") {
		t.Errorf("a program that is no Redis: %v", err)
	}
	t.Setenv(RabbitVariable, t.TempDir())
	if _, err := FindRabbit(); err == nil || !strings.Contains(err.Error(), "holds no plugins/rabbit-VERSION") {
		t.Errorf("a folder that is no RabbitMQ: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
