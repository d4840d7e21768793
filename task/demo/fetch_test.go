package demo

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"acklab/task"
)

// site answers as its path says.
func site(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		if after := r.URL.Query().Get("after"); after != "" {
			w.Header().Set("Retry-After", after)
		}
		var code int
		fmt.Sscan(r.PathValue("code"), &code)
		w.WriteHeader(code)
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/body/{n}", func(w http.ResponseWriter, r *http.Request) {
		var n int
		fmt.Sscan(r.PathValue("n"), &n)
		w.Write(make([]byte, n))
	})
	mux.HandleFunc("/torn", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
		panic(http.ErrAbortHandler)
	})
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("url"), http.StatusFound)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		fetcher.CloseIdleConnections()
		s.Close()
	})
	return strings.Replace(s.URL, "http://", "http://u:secret@", 1)
}

func TestFetchURLGivesWhatCame(t *testing.T) {
	t.Parallel()
	at := site(t)
	for path, want := range map[string]string{
		"/page":                     `"status":200,"bytes":5,"sha256":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"`,
		"/to?url=/page":             `"bytes":5`,
		fmt.Sprint("/body/", 1<<20): `"bytes":1048576`,
	} {
		got, err := run(t, t.Context(), "fetch_url", 0, fmt.Sprintf("[%q]", at+path), "")
		if err != nil || !strings.Contains(got, want) || strings.Contains(got, "secret") {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
}

func TestFetchURLsErrorsHaveKindsThatSayWhetherARetryHelps(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://u:secret@" + l.Addr().String()
	l.Close()
	at := site(t)
	for _, tt := range []struct {
		url, kind string
		transient bool
		delay     time.Duration // 0: that of the policy
		want      string
	}{
		{at + "/status/500", KindUnavailable, true, 0, "the server says 500 Internal Server Error"},
		{at + "/status/503?after=7", KindUnavailable, true, 7 * time.Second, "the server says 503"},
		{at + "/status/503?after=soon", KindUnavailable, true, 0, "503"},
		{at + "/status/503?after=-7", KindUnavailable, true, 0, "503"},
		{at + "/status/404", KindRejected, false, 0, "404 Not Found"},
		{at + "/status/429?after=7", KindRejected, false, 0, "429"},
		{at + "/slow", KindConnection, true, 0, "deadline"},
		{at + "/torn", KindConnection, true, 0, "EOF"},
		{nobody, KindConnection, true, 0, "refused"},
		{at + "/body/" + fmt.Sprint(1<<20+1), "", false, 0, "larger than 1048576 bytes"},
		{at + "/to?url=" + url.QueryEscape("file:///etc/passwd"), "", false, 0, "not http or https"},
		{at + "/to?url=" + url.QueryEscape("ftp://127.0.0.1/x"), "", false, 0, "not http or https"},
		{at + "/loop", "", false, 0, "more than 5"},
	} {
		_, err := run(t, t.Context(), "fetch_url", 0, fmt.Sprintf("[%q, 300]", tt.url), "")
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		var bad *task.ArgumentError
		if errors.As(err, &bad) {
			t.Errorf("%s: an argument error", tt.url)
		}
		for _, k := range Kinds {
			if got := task.ErrorOfKind(k)(err); got != (k == tt.kind) {
				t.Errorf("%s: is it of the kind %s? %t", tt.url, k, got)
			}
		}
		p := fetchRetry()
		p.Jitter = false
		d := p.Decide(err, 0, nil)
		if want := max(tt.delay, time.Second); d.Again != tt.transient || tt.transient && d.Delay != want {
			t.Errorf("%s: %+v, want %v", tt.url, d, want)
		}
	}
}

func TestARetryAfterIsSecondsOrADate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"0": 0, "120": 2 * time.Minute, "Sat, 21 Nov 2026 12:00:30 GMT": 30 * time.Second, "Sat, 21 Nov 2026 11:00:00 GMT": 0,
		"99999999999": task.MaxDelay + time.Second, "99999999999999999999999": task.MaxDelay + time.Second,
	} {
		if d, ok := retryAfter(text, now); !ok || d != want {
			t.Errorf("%q: %v, %t", text, d, ok)
		}
	}
	for _, text := range []string{"", "-1", "1.5", "tomorrow"} {
		if d, ok := retryAfter(text, now); ok {
			t.Errorf("%q: %v", text, d)
		}
	}
}

func TestFailNTimesFailsWithTheKindThatIsAskedFor(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{`[1]`: {KindFlaky, task.KindTransient}, `[1, "fatal"]`: {KindFatal}} {
		_, err := run(t, t.Context(), "fail_n_times", 0, args, "")
		for _, k := range append([]string{task.KindTransient}, Kinds...) {
			got, chosen := task.ErrorOfKind(k)(err), false
			for _, w := range want {
				chosen = chosen || w == k
			}
			if got != chosen {
				t.Errorf("%s: is it of the kind %s? %t", args, k, got)
			}
		}
	}
}
