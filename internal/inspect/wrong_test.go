package inspect

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

func TestAWrongURLIsOneClearErrorWithoutThePassword(t *testing.T) {
	t.Parallel()
	notPEM := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(notPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"":                                    "no broker URL",
		"localhost:6379":                      "has no scheme",
		"kafka://u:s3cret@h":                  `scheme "kafka" is unknown`,
		"redis://":                            "names no host",
		"redis://u:s3cret@h:x":                "cannot be read",
		"redis://u:s3cret@h:70000":            "use 1 to 65535",
		"redis://h/abc":                       "no number from 0",
		"redis://h/-1":                        "no number from 0",
		"redis://s3cret@h":                    "user without a password",
		"redis://:s3cret%zz@h":                "cannot be read",
		"redis://:s3cret#x@h":                 "", // whatever it says, see below
		"redis://:s3cret@h?what=1":            `unknown option "what"`,
		"redis://:s3cret@h?ssl_cert_reqs=no":  "without TLS",
		"rediss://:s3cret@h?ssl_cert_reqs=no": "use required or none",
		"rediss://:s3cret@h?ssl_ca_certs=/nowhere/ca.crt": "no such file",
		"rediss://:s3cret@h?ssl_ca_certs=" + notPEM:       "holds no certificate",
		"amqp://":                     "names no host",
		"amqp://u:s3cret@h/v#x":       "neither blanks nor #",
		"amqp://u:s3cret@h/v?a=%zz":   "cannot be read",
		"amqp://u:s3cret@h/v?queue=1": "unknown option",
	} {
		_, err := Look(t.Context(), url, Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", url, err, want)
		}
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := Look(t.Context(), "memory://", Options{Limit: -1}); err == nil {
		t.Error("a negative limit is taken")
	}
	if _, err := Look(t.Context(), "redis://h", Options{Management: "http://h:15672"}); err == nil || !strings.Contains(err.Error(), "RabbitMQ") {
		t.Errorf("--management with redis: %v", err)
	}
	target, err := Parse("amqp://h")
	if err != nil {
		t.Fatal(err)
	}
	for _, override := range []string{"h:15672", "ftp://h", "http://", "http://u:s3cret@h:x", "http://h?x"} {
		if _, err := target.Management(override); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("--management %s: %v", override, err)
		}
	}
}

func TestMemoryHasNothingToLookAt(t *testing.T) {
	t.Parallel()
	_, text := look(t, "memory://", Options{})
	if text != "memory:// lives in the worker's process: nothing to look at from outside\n" {
		t.Errorf("%q", text)
	}
}

// fails looks and wants an error that says want and hides the password.
func fails(t *testing.T, ctx context.Context, url string, o Options, want string) {
	t.Helper()
	_, err := Look(ctx, url, o)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v, want one line with %q", err, want)
	}
}

func TestABrokerThatIsAwayIsSaid(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	fails(t, t.Context(), "redis://u:s3cret@"+addr, Options{}, "connection refused")
	fails(t, t.Context(), "amqp://u:s3cret@"+addr, Options{}, "connection refused")
}

func TestAServerThatNeverAnswersIsSaid(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, scheme := range []string{"redis://:", "amqp://u:"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		fails(t, ctx, scheme+"s3cret@"+l.Addr().String(), Options{}, "did not answer in time")
		cancel()
	}
}

func TestAnotherSortOfServerIsSaid(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	addr := web.Listener.Addr().String()
	fails(t, t.Context(), "redis://:s3cret@"+addr, Options{}, "look at redis://"+addr)
	fails(t, t.Context(), "amqp://u:s3cret@"+addr, Options{}, "look at amqp://u@"+addr)
	fails(t, t.Context(), "rediss://:s3cret@"+addr, Options{}, "look at rediss://"+addr)
}

func TestAWrongPasswordForRedisIsSaid(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{Password: "right"})
	bare := "redis://" + r.Addr()
	fails(t, t.Context(), "redis://:s3cret@"+r.Addr(), Options{}, "does not accept this user and password")
	fails(t, t.Context(), "redis://nobody:s3cret@"+r.Addr(), Options{}, "does not accept this user and password")
	fails(t, t.Context(), bare, Options{}, "wants a password")
	fails(t, t.Context(), "redis://:right@"+r.Addr()+"/99", Options{}, "DB index is out of range")
}

func TestAManagementAPIOfAnotherSortIsSaid(t *testing.T) {
	t.Parallel()
	target, err := Parse("amqp://u:s3cret@127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"a web page":    {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }, "does not answer as RabbitMQ's does"},
		"nothing there": {http.NotFound, "HTTP status 404"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, "HTTP status 302"},
		"no such vhost": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			w.Write([]byte(`{"reason":"Object Not Found"}`))
		}, "does not exist there"},
		"no permission": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "set_user_tags u monitoring"},
		"a torn answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			w.Write([]byte("{}"))
		}, "does not answer"},
		"a wrong type": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"items": 5}`)) }, "does not answer as RabbitMQ's does"},
	} {
		web := httptest.NewServer(c.handler)
		m, err := target.Management(strings.Replace(web.URL, "http://", "http://u:s3cret@", 1) + "/")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = m.Queues(t.Context(), "/", 10)
		if _, ok := errors.AsType[*ManagementError](err); !ok || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		m.Close()
		web.Close()
	}
}
