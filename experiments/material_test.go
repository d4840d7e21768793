package experiments

import (
	"maps"
	"slices"
	"testing"
)

func TestTheMaterialSaysSomethingForEveryClaimAndForNoOther(t *testing.T) {
	t.Parallel()
	claims := slices.Collect(maps.Keys(NotBuilt))
	for _, e := range Catalogue {
		claims = append(claims, e.Claims...)
	}
	for _, c := range claims {
		if Material[c] == "" {
			t.Errorf("claim %s has no text", c)
		}
	}
	for c := range Material {
		if !slices.Contains(claims, c) {
			t.Errorf("there is a text for %s, which is no claim", c)
		}
	}
}
