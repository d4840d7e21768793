package postgresresult_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"acklab/result"
)

func TestWhoLooksForTheTableHoldsUpNobodyForLongerThanTheyAllow(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	s := open(t, "postgres://u@"+mute.Addr().String()+"/db?sslmode=disable", result.Options{})
	get := func(patience time.Duration) <-chan error {
		ended := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := s.Get(ctx, "t1")
			ended <- err
		}()
		return ended
	}
	get(time.Minute)
	conn, err := mute.Accept() // it looks
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	select {
	case err := <-get(50 * time.Millisecond):
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, result.ErrUnavailable) {
			t.Errorf("the second: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the second waits for the first")
	}
}
