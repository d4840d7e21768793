package doctor

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"acklab/internal/server/servertest"
)

func TestMain(m *testing.M) {
	servertest.BeMinder()
	goleak.VerifyTestMain(m)
}

const secret = "s3cret"

// advise returns the findings and checks that no output has the password.
func advise(t *testing.T, url, management string) []Finding {
	t.Helper()
	r, err := Advise(t.Context(), url, management)
	if err != nil {
		t.Fatal(err)
	}
	var text, asJSON strings.Builder
	if err := r.WriteText(&text, map[string]string{"A4": "queue-holder-killed"}); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&asJSON); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String()+asJSON.String(), secret) {
		t.Errorf("the password is in the output:\n%s\n%s", text.String(), asJSON.String())
	}
	t.Log("\n" + text.String())
	return r.Findings
}

// has wants a finding of a level whose text starts so, and tells its claims.
func has(t *testing.T, findings []Finding, level Level, start string) {
	t.Helper()
	for _, f := range findings {
		if f.Level == level && strings.HasPrefix(f.What, start) {
			if level != Fine && level != Unseen && (f.Why == "" || f.Set == "") {
				t.Errorf("%q lacks why or what to set", f.What)
			}
			return
		}
	}
	t.Errorf("no %s %q among:\n%s", level, start, lines(findings))
}

// hasNot wants no finding of a level whose text starts so.
func hasNot(t *testing.T, findings []Finding, level Level, start string) {
	t.Helper()
	for _, f := range findings {
		if f.Level == level && strings.HasPrefix(f.What, start) {
			t.Errorf("%s %q is not so", level, f.What)
		}
	}
}

func lines(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s\n", f.Level, f.What)
	}
	return b.String()
}
