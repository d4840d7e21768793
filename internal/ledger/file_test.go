package ledger

import (
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	opened   = `{"seq":1,"wall":"2026-01-02T03:04:05Z","mono":1,"event":"opened"}` + "\n"
	finished = `{"seq":2,"wall":"2026-01-02T03:04:05Z","mono":2,"event":"finished","task":"t"}` + "\n"
	closed   = `{"seq":3,"wall":"2026-01-02T03:04:05Z","mono":3,"event":"closed"}` + "\n"
)

func TestAFileTellsWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, raw string
		lines     int
		torn      bool
		damage    string // part of it; "": none
		ended     bool
	}{
		{"whole", opened + finished + closed, 3, false, "", true},
		{"of a killed process", opened + finished, 2, false, "", false},
		{"torn", opened + finished + closed[:20], 2, true, "", false},
		{"torn at the newline", opened + finished + strings.TrimSuffix(closed, "\n"), 2, true, "", false},
		{"a gap", opened + closed, 1, false, "line 2 is numbered 3", false},
		{"a gap and then a torn line", opened + closed + finished[:9], 1, true, "line 2 is numbered 3", false},
		{"a line twice", opened + finished + finished, 2, false, "line 3 is numbered 2", false},
		{"no JSON", opened + "garbage\n" + closed, 1, false, "line 2 is not a ledger line", false},
		{"an empty line", opened + "\n" + finished, 1, false, "line 2 is not a ledger line", false},
		{"JSON of another kind", opened + "[1]\n", 1, false, "line 2 is not a ledger line", false},
		{"a line without an event", opened + `{"seq":2}` + "\n", 1, false, "line 2 names no event", false},
		{"null", opened + "null\n", 1, false, "line 2 is numbered 0", false},
		{"after closed", opened + strings.Replace(closed, "3", "2", 1) + strings.Replace(finished, "2", "3", 1), 2, false, "line 3 comes after closed", true},
		{"another beginning", strings.Replace(finished, "2", "1", 1), 1, false, "does not begin with opened", false},
		{"empty", "", 0, false, "does not begin with opened", false},
		{"nothing but a torn line", opened[:30], 0, true, "does not begin with opened", false},
	}
	for _, c := range cases {
		f, err := Parse(iotest.OneByteReader(strings.NewReader(c.raw)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(f.Lines) != c.lines || f.Torn != c.torn || f.Closed() != c.ended || (c.damage == "") != (f.Damage == "") || !strings.Contains(f.Damage, c.damage) {
			t.Errorf("%s: %d lines, torn %v, closed %v, damage %q", c.name, len(f.Lines), f.Torn, f.Closed(), f.Damage)
		}
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	if _, err := Parse(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(opened + finished + closed))
	f.Add([]byte(opened + "{}\n\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := Parse(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range file.Lines {
			if l.Seq != int64(i)+1 || l.Event == "" {
				t.Fatalf("line %d: %+v", i+1, l)
			}
		}
		if again, _ := Parse(strings.NewReader(string(raw))); !reflect.DeepEqual(again, file) {
			t.Error("read in two ways")
		}
	})
}
