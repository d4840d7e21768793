package inspect

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"acklab/internal/server/servertest"
)

func TestMain(m *testing.M) {
	servertest.BeMinder()
	goleak.VerifyTestMain(m)
}

// look looks and returns text and JSON; neither may hold the password.
func look(t *testing.T, url string, o Options) (*View, string) {
	t.Helper()
	v, err := Look(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	var text, asJSON strings.Builder
	if err := v.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := v.WriteJSON(&asJSON); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String()+asJSON.String(), secret) {
		t.Errorf("the password is in the output:\n%s\n%s", text.String(), asJSON.String())
	}
	t.Log("\n" + text.String())
	return v, text.String()
}

const secret = "s3cret"
