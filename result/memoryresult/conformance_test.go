package memoryresult_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"acklab/result"
	"acklab/result/memoryresult"
	"acklab/result/resulttest"
	"acklab/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	resulttest.Run(t, resulttest.Harness{Start: func(testing.TB) *resulttest.Server {
		s := memoryresult.NewServer()
		return &resulttest.Server{
			Open: func(t testing.TB, o result.Options) result.Store {
				c := s.Open(o)
				t.Cleanup(func() { _ = c.Close(context.Background()) })
				return c
			},
			PutRaw: func(_ context.Context, id string, text []byte) error { s.PutRaw(id, string(text)); return nil },
		}
	}})
}

func TestTheURLSaysHowLongAResultIsKept(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]time.Duration{
		"memory://": 24 * time.Hour, "memory://?expires=90s": 90 * time.Second, "memory://?expires=0": 0, "memory:///?expires=1h": time.Hour,
	} {
		s, err := memoryresult.Open(t.Context(), raw, result.Options{})
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := s.Traits(t.Context()).Expires; got != want {
			t.Errorf("%s keeps for %v; want %v", raw, got, want)
		}
	}
	for raw, want := range map[string]string{
		"memory://host": "something else", "memory://?expires=soon": "expires=soon", "memory://?expires=1h&expires=2h": "one duration",
		"memory://?expires=-1h": "0 for never", "memory://?ttl=1h": `unknown option "ttl"`, "memory://?a;b": "cannot be read", "memory://%zz": "cannot be read",
	} {
		if _, err := memoryresult.Open(t.Context(), raw, result.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", raw, err, want)
		}
	}
}

func TestWhatHasExpiredDoesNotPileUp(t *testing.T) {
	t.Parallel()
	s := memoryresult.NewServer()
	c := s.Open(result.Options{Expires: time.Millisecond})
	defer c.Close(t.Context())
	for i := range 5000 {
		r := result.Result{TaskID: string(rune('a'+i%26)) + time.Duration(i).String(), State: task.Started}
		if err := c.Store(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if i%500 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
	}
	if n := len(s.Held()); n > 2500 {
		t.Errorf("%d of 5000 expired results are still held", n)
	}
}
