package redisresult_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"acklab/result"
)

func TestAWaitEndsAtOnceWhenItIsCancelledWhateverItsDeadline(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	s := open(t, "redis://"+mute.Addr().String()+"/0", result.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Wait(ctx, "t1")
		ended <- err
	}()
	conn, err := mute.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil { // it has asked
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(3 * time.Second): // a look takes five
		t.Error("it does not end")
	}
}
