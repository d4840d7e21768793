package postgresresult_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/result"
	"acklab/result/postgresresult"
	"acklab/task"
)

func TestAURLIsReadOrRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	refused(t, map[string]string{
		"postgres://u:s3cret@/db":                "names no host",
		"postgres://u:s3cret@h:1/db?expires=x":   "expires=x",
		"postgres://u:s3cret@h:70000/db":         "port",
		"postgres://u:s3cret@h/db?sslmode=never": "option",
		"postgres://u:s3%zzcret@h/db":            "cannot be read",
		"postgres://u@h/db#x":                    "fragment",
		"postgres://u:12/s3cret@host/db":         "@",
		"postgres://u:12?s3cret@host/db":         "@",
		"mysql://u:s3cret@h/db":                  `scheme "mysql"`,
	})
	for _, raw := range []string{"postgres://u:s3cret@h/db", "postgresql://h:5433/db?sslmode=disable&expires=0&pool_max_conns=9", "postgres://u@[::1]/db?connect_timeout=1"} {
		open(t, raw, result.Options{})
	}
}

func TestNoErrorShowsThePassword(t *testing.T) {
	t.Parallel()
	p := servertest.Postgres(t, server.PostgresOptions{Password: "right"})
	one := result.Result{TaskID: "t1", State: task.Started}
	if err := open(t, p.URL(""), result.Options{}).Store(t.Context(), one); err != nil {
		t.Error(err)
	}
	for _, url := range []string{strings.Replace(p.URL(""), ":right@", ":s3cret@", 1), "postgres://bob:s3cret@127.0.0.1:1/db"} {
		s := open(t, url, result.Options{})
		err := s.Store(t.Context(), one)
		if !errors.Is(err, result.ErrUnavailable) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
}

func TestWorkersThatStartTogetherMakeOneTable(t *testing.T) {
	t.Parallel()
	p := servertest.Postgres(t, server.PostgresOptions{NoSync: true})
	for range 3 {
		var workers sync.WaitGroup
		for i := range 12 {
			s := open(t, p.URL(""), result.Options{})
			workers.Go(func() {
				if err := s.Store(t.Context(), result.Result{TaskID: fmt.Sprint(i), State: task.Started}); err != nil {
					t.Error(err)
				}
			})
		}
		workers.Wait()
		if err := exec(t.Context(), p, "DROP TABLE acklab_results"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestATableThatWasDroppedIsMadeAgain(t *testing.T) {
	t.Parallel()
	p := servertest.Postgres(t, server.PostgresOptions{NoSync: true})
	s := open(t, p.URL(""), result.Options{})
	for range 3 {
		if err := s.Store(t.Context(), result.Result{TaskID: "t1", State: task.Started}); err != nil {
			t.Error(err)
		}
		if err := exec(t.Context(), p, "DROP TABLE acklab_results"); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Get(t.Context(), "t1"); err != nil || r.State != task.Pending {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

func TestWhatHasExpiredIsRemoved(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := servertest.Postgres(t, server.PostgresOptions{NoSync: true})
	s, lasting := open(t, p.URL(""), result.Options{Expires: time.Millisecond}), open(t, p.URL(""), result.Options{Expires: -1})
	for i := range 50 {
		if err := s.Store(ctx, result.Result{TaskID: fmt.Sprint(i), State: task.Started}); err != nil {
			t.Fatal(err)
		}
	}
	if err := lasting.Store(ctx, result.Result{TaskID: "lasting", State: task.Started}); err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(ctx, p.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	eventually(t, c, "SELECT count(*) = 50 FROM acklab_results WHERE expires <= now()")
	postgresresult.TidyNow(s)
	if err := s.Store(ctx, result.Result{TaskID: "last", State: task.Started}); err != nil {
		t.Fatal(err)
	}
	eventually(t, c, "SELECT count(*) <= 2 FROM acklab_results") // of 52
}

// The members of a chord go with it, so one clean-up takes chords by their size.
func TestWhatHasExpiredOfChordsIsRemovedByTheirMembers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := servertest.Postgres(t, server.PostgresOptions{NoSync: true})
	s := open(t, p.URL(""), result.Options{Expires: time.Hour})
	if _, err := s.Join(ctx, result.Part{Chord: "first", Size: 2}); err != nil {
		t.Fatal(err)
	}
	if err := exec(ctx, p, `INSERT INTO acklab_chords (chord, joined, failed, expires)
		SELECT 'old-' || i, 4000, 0, now() - make_interval(secs => i) FROM generate_series(1, 9) AS i`); err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(ctx, p.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for _, left := range []int{6, 3, 0} {
		postgresresult.TidyNow(s)
		if _, err := s.Join(ctx, result.Part{Chord: "first", Size: 2}); err != nil {
			t.Fatal(err)
		}
		eventually(t, c, fmt.Sprintf("SELECT count(*) = %d FROM acklab_chords WHERE chord LIKE 'old-%%'", left))
	}
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, c *pgx.Conn, question string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var yes bool
		if err := c.QueryRow(t.Context(), question).Scan(&yes); err != nil {
			t.Fatal(err)
		}
		if yes {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", question)
		}
	}
}

func TestPeopleCanReadTheTable(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := servertest.Postgres(t, server.PostgresOptions{NoSync: true})
	s := open(t, p.URL(""), result.Options{})
	r := result.Result{TaskID: "t1", State: task.Failure, Error: result.NewFailure("ValueError", "böse"), Retries: 2, Done: time.Date(2026, 11, 21, 7, 31, 43, 0, time.UTC)}
	if err := s.Store(ctx, r); err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(ctx, p.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	var state, class string
	var retries int
	var done, expires time.Time
	err = c.QueryRow(ctx, "SELECT state, retries, done, expires, meta->'result'->>'exc_type' FROM acklab_results WHERE task_id = 't1'").Scan(&state, &retries, &done, &expires, &class)
	if err != nil || state != "FAILURE" || retries != 2 || !done.Equal(r.Done) || class != "ValueError" || time.Until(expires) < 23*time.Hour {
		t.Errorf("%s %d %v %v %s, %v", state, retries, done, expires, class, err)
	}
}

func TestTraitsTellWhatOutlivesPostgres(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o    server.PostgresOptions
		want result.Durability
	}{
		{server.PostgresOptions{}, result.Synced},
		{server.PostgresOptions{NoSync: true}, result.Written},
		{server.PostgresOptions{AsyncCommit: true}, result.Delayed},
	} {
		p := servertest.Postgres(t, c.o)
		s := open(t, p.URL(""), result.Options{})
		if got := s.Traits(t.Context()); got.Durable != c.want || got.Version != p.Version(t.Context()) {
			t.Errorf("%+v: %+v; want %s", c.o, got, c.want)
		}
	}
	if got := open(t, "postgres://u@127.0.0.1:1/db", result.Options{}).Traits(t.Context()); got.Durable != result.Unknown || got.Version != "" {
		t.Errorf("nobody there: %+v", got)
	}
}

// A role that may not make tables uses those that were made for it: results need
// no tables of chords.
func TestAResultNeedsNoTableOfChords(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := servertest.Postgres(t, server.PostgresOptions{NoSync: true, Password: "right"})
	one := result.Result{TaskID: "t1", State: task.Started}
	if err := open(t, p.URL(""), result.Options{}).Store(ctx, one); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"DROP TABLE IF EXISTS acklab_chord_members", "DROP TABLE IF EXISTS acklab_chords",
		"REVOKE CREATE ON SCHEMA public FROM PUBLIC", "CREATE ROLE guest LOGIN PASSWORD 'guest'",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON acklab_results TO guest",
	} {
		if err := exec(ctx, p, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	u, err := url.Parse(p.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("guest", "guest")
	guest := open(t, u.String(), result.Options{})
	one.TaskID = "t2"
	if err := guest.Store(ctx, one); err != nil {
		t.Error(err)
	}
	if r, err := guest.Get(ctx, "t1"); err != nil || r.State != task.Started {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = guest.Join(ctx, result.Part{Chord: "c1", Size: 1})
	if !errors.Is(err, result.ErrUnavailable) || !strings.Contains(err.Error(), "acklab_chords") {
		t.Errorf("join without its tables: %v", err)
	}
}

func TestTablesOfChordsThatWereDroppedAreMadeAgain(t *testing.T) {
	t.Parallel()
	p := servertest.Postgres(t, server.PostgresOptions{NoSync: true})
	s := open(t, p.URL(""), result.Options{})
	for _, drop := range []string{"acklab_chord_members", "acklab_chord_members, acklab_chords"} {
		chord := "of " + drop
		if _, err := s.Join(t.Context(), result.Part{Chord: chord, Size: 2}); err != nil {
			t.Error(err)
		}
		if err := exec(t.Context(), p, "DROP TABLE "+drop); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Values(t.Context(), chord, 2); !errors.Is(err, result.ErrMalformed) {
			t.Errorf("without %s: %v", drop, err)
		}
	}
}
