package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"acklab/task"
)

// Fetched is what fetch_url returns.
type Fetched struct {
	URL    string `json:"url"` // without its password
	Status int    `json:"status"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"` // of the body
}

const (
	// maxBody is the largest body that fetch_url reads, in bytes.
	maxBody = 1 << 20
	// maxRedirects is how many redirects it follows.
	maxRedirects = 5
)

// fetchRetry is the policy of fetch_url: three retries with backoff and full
// jitter for what may be better soon.
func fetchRetry() task.RetryPolicy {
	p := task.DefaultRetry()
	p.Backoff, p.For = time.Second, task.ErrorOfKind(task.KindTransient)
	return p
}

// FetchURL is fetch_url(url, ms=5000): one GET of an http or https URL, within
// ms milliseconds, and a Fetched of what came. It is the flaky remote service
// of the teaching material, so its errors have kinds:
//
//   - connection and transient: no connection, one that broke, no answer in time;
//   - unavailable and transient: a status of 500 or more. A Retry-After of the
//     server, in seconds or as a date, is the error's own delay;
//   - rejected: a status from 400 to 499, which a retry does not change.
//
// A body above 1 MiB, more than 5 redirects, or a redirect to anything but
// http and https, has no kind. Nothing but http and https is ever fetched, and
// no error repeats a password.
func FetchURL(ctx context.Context, c *task.Call) (any, error) {
	var address string
	ms := 5000
	if err := c.Bind(task.Named("url", &address), task.Optional("ms", &ms)); err != nil {
		return nil, err
	}
	u, err := webAddress(c, address)
	if err != nil {
		return nil, err
	}
	if ms < 1 || ms > int(longest.Milliseconds()) {
		return nil, c.Bad("ms", fmt.Sprintf("%d is outside 1 to %d", ms, longest.Milliseconds()))
	}
	within, cancel := context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
	defer cancel()
	page, err := get(within, u)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", u.Redacted(), err)
	}
	return page, nil
}

// webAddress reads an http or https URL.
func webAddress(c *task.Call, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || !isWeb(u) {
		// The text may hold a password, so it is not repeated.
		return nil, c.Bad("url", "not an http or https URL with a host")
	}
	return u, nil
}

func isWeb(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

// errRedirect is a redirect that is not followed.
var errRedirect = errors.New("redirect not followed")

var fetcher = &http.Client{
	CheckRedirect: func(r *http.Request, via []*http.Request) error {
		switch {
		case !isWeb(r.URL):
			return fmt.Errorf("%w: to something that is not http or https", errRedirect)
		case len(via) > maxRedirects:
			return fmt.Errorf("%w: more than %d", errRedirect, maxRedirects)
		}
		return nil
	},
}

func get(ctx context.Context, u *url.URL) (*Fetched, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("not a URL that can be requested")
	}
	r.Header.Set("User-Agent", "acklab")
	response, err := fetcher.Do(r)
	if err != nil {
		return nil, broken(err)
	}
	defer response.Body.Close()
	task.Halfway(ctx)
	if err := unwelcome(response); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return nil, broken(err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("the body is larger than %d bytes", maxBody)
	}
	sum := sha256.Sum256(body)
	return &Fetched{URL: u.Redacted(), Status: response.StatusCode, Bytes: len(body), SHA256: hex.EncodeToString(sum[:])}, nil
}

// broken is an error of the connection, without the URL that net/http puts
// into it.
func broken(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, errRedirect) {
		return err
	}
	return task.WithKind(err, KindConnection, task.KindTransient)
}

// unwelcome is the error of a status that is no success, or nil.
func unwelcome(r *http.Response) error {
	if r.StatusCode < http.StatusBadRequest {
		return nil
	}
	err := fmt.Errorf("the server says %d %s", r.StatusCode, http.StatusText(r.StatusCode))
	if r.StatusCode < http.StatusInternalServerError {
		return task.WithKind(err, KindRejected)
	}
	err = task.WithKind(err, KindUnavailable, task.KindTransient)
	if d, ok := retryAfter(r.Header.Get("Retry-After"), time.Now()); ok {
		err = task.WithDelay(err, d)
	}
	return err
}

// retryAfter reads the header: seconds, or the moment of a date. What is past
// is 0, and what is longer than any delay stays so, however long.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(task.MaxDelay/time.Second)+1)) * time.Second, true
	} else if errors.Is(err, strconv.ErrRange) {
		return task.MaxDelay + time.Second, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return max(0, at.Sub(now)), true
}
