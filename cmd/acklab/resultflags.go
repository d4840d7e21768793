package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"acklab/internal/connect"
	"acklab/result"
)

// resultFlags name the result store.
type resultFlags struct{ url string }

func (f *resultFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "result", os.Getenv("ACKLAB_RESULT_URL"), "result store URL: "+connect.ResultSchemes)
	cmd.Flags().Lookup("result").DefValue = "$ACKLAB_RESULT_URL"
}

// open makes the client of the store.
func (f *resultFlags) open(ctx context.Context, opts result.Options) (result.Store, error) {
	return connect.OpenResult(ctx, f.url, opts)
}

// openIfNamed is open, or nothing where no store is named. The function ends the
// client.
func (f *resultFlags) openIfNamed(ctx context.Context, opts result.Options) (result.Store, func() error, error) {
	if f.url == "" {
		return nil, func() error { return nil }, nil
	}
	store, err := f.open(ctx, opts)
	if err != nil {
		return nil, nil, err
	}
	return store, func() error { return store.Close(context.WithoutCancel(ctx)) }, nil
}

// errNoStore is for what makes no sense without one.
var errNoStore = errors.New("no result store: give --result or set ACKLAB_RESULT_URL, the same as for the worker")
