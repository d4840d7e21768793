package experiments

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheReferenceIsWhatTheCatalogueSays(t *testing.T) {
	t.Parallel()
	want, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../docs/experiments.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/experiments.md is not what the catalogue says; write it again with\n\tgo run ./cmd/acklab list --markdown > docs/experiments.md\n%s", diff)
	}
}
