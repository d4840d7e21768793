package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// stopSignals makes a context that ends with the first SIGTERM or SIGINT, and
// a channel that is closed by the second, or by SIGQUIT: stop at once. end
// undoes it.
func stopSignals(parent context.Context) (ctx context.Context, now <-chan struct{}, end func()) {
	ctx, cancel := context.WithCancel(parent)
	atOnce := make(chan struct{})
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	done := make(chan struct{})
	go func() {
		for asked := false; ; asked = true {
			select {
			case <-done:
				return
			case s := <-signals:
				cancel()
				if asked || s == syscall.SIGQUIT {
					close(atOnce)
					return
				}
			}
		}
	}()
	return ctx, atOnce, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// resumeSignal is closed by SIGUSR1, which ends a pause at a checkpoint.
func resumeSignal() <-chan struct{} {
	resume := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		<-signals
		close(resume)
	}()
	return resume
}
