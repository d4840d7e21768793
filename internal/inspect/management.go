package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Management is a client of RabbitMQ's management HTTP API. It only reads. It
// is safe for concurrent use.
type Management struct {
	base           string // without the final slash, without credentials
	user, password string
	http           *http.Client
}

// answerLimit bounds what is read of one answer.
const answerLimit = 64 << 20

// Management makes a client of the management API of a RabbitMQ server: the one
// at override, or else at the broker's host: port 15672, with TLS 15671. The
// broker URL's user and password are used unless override has its own.
func (t *Target) Management(override string) (*Management, error) {
	base := &url.URL{Scheme: "http", Host: net.JoinHostPort(t.host, "15672")}
	if t.tls != nil {
		base = &url.URL{Scheme: "https", Host: net.JoinHostPort(t.host, "15671")}
	}
	m := &Management{user: t.user, password: t.password}
	if override != "" {
		u, err := url.Parse(override)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, errors.New("--management: want the URL of RabbitMQ's management API, as in http://HOST:15672")
		}
		if u.User != nil {
			m.user = u.User.Username()
			m.password, _ = u.User.Password()
		}
		u.User = nil
		base = u
	}
	m.base = strings.TrimSuffix(base.String(), "/")
	tlsConfig := t.tls.Clone()
	if tlsConfig != nil {
		tlsConfig.ServerName = "" // the management host may be another
	}
	m.http = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: tlsConfig, DialContext: (&net.Dialer{Timeout: dialWithin}).DialContext, ResponseHeaderTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return m, nil
}

// Close ends idle connections.
func (m *Management) Close() { m.http.CloseIdleConnections() }

// String is the address of the API.
func (m *Management) String() string { return m.base }

// ManagementError says that the management API did not give what was asked for,
// and what to do about it.
type ManagementError struct {
	// URL is the address of the API.
	URL string
	// Problem is one sentence with the remedy.
	Problem string
	// Forbidden tells that the API answers, and this user may not ask.
	Forbidden bool
	// Err is the cause, or nil.
	Err error
}

func (e *ManagementError) Error() string {
	return fmt.Sprintf("the management API at %s %s", e.URL, e.Problem)
}

// Unwrap is the cause, for errors.Is.
func (e *ManagementError) Unwrap() error { return e.Err }

// get reads one resource. The errors are *ManagementError or ctx's.
func (m *Management) get(ctx context.Context, resource string, into any) error {
	status, body, err := m.fetch(ctx, resource)
	if err != nil {
		return err
	}
	return m.read(resource, status, body, into)
}

// fetch makes one request.
func (m *Management) fetch(ctx context.Context, resource string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.base+"/api/"+resource, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("ask the management API at %s: %w", m.base, err)
	}
	req.SetBasicAuth(m.user, m.password)
	resp, err := m.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return 0, nil, fmt.Errorf("the management API at %s did not answer in time: %w", m.base, ctx.Err())
		}
		return 0, nil, m.away(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
	if err != nil {
		return 0, nil, m.away(err)
	}
	return resp.StatusCode, body, nil
}

func (m *Management) read(resource string, status int, body []byte, into any) error {
	problem := func(text string, cause error) error {
		return &ManagementError{URL: m.base, Problem: text, Forbidden: status == http.StatusUnauthorized || status == http.StatusForbidden, Err: cause}
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return problem(fmt.Sprintf("refuses user %s: wrong password, or the tag is missing (rabbitmqctl set_user_tags %s monitoring)", m.user, m.user), nil)
	case status == http.StatusNotFound && strings.Contains(string(body), "Object Not Found"):
		return problem(fmt.Sprintf("knows nothing of %s: the virtual host does not exist there", resource), nil)
	case status != http.StatusOK:
		return problem(fmt.Sprintf("answers with HTTP status %d: is it RabbitMQ's? Say where it is with --management URL", status), nil)
	case len(body) > answerLimit:
		return problem(fmt.Sprintf("answers more than %d MB for %s: too much to look at", answerLimit>>20, resource), nil)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return problem("does not answer as RabbitMQ's does: say where it is with --management URL", err)
	}
	return nil
}

func (m *Management) away(err error) error {
	cause := err
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		cause = wrapped.Err // without the URL, which is said already
	}
	return &ManagementError{URL: m.base, Err: cause, Problem: fmt.Sprintf(
		"does not answer (%v), and AMQP itself cannot list queues: enable it with \"rabbitmq-plugins enable rabbitmq_management\", or say where it is with --management URL", cause)}
}
