package report

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// FindTask looks for the task whose id begins with idPrefix in the ledgers of
// every trial of the run in runDir. It returns the folder of the trial and the
// whole id. The error wraps ErrNoTask, or ErrAmbiguous and names what fits, or
// says why the ledgers could not be read.
func FindTask(runDir, idPrefix string) (trialDir, taskID string, err error) {
	root := filepath.Join(runDir, "ledger")
	fail := func(err error) (string, string, error) {
		return "", "", fmt.Errorf("find task %q in %s: %w", idPrefix, runDir, err)
	}
	if idPrefix == "" {
		return fail(errors.New("the id is empty"))
	}
	found := map[string]map[string]bool{} // id to the folders of its trials
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".jsonl") {
			return err
		}
		return scan(path, idPrefix, func(id string) {
			if found[id] == nil {
				found[id] = map[string]bool{}
			}
			found[id][filepath.Dir(path)] = true
		})
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(fmt.Errorf("the run has no ledgers: %w", err))
	case err != nil:
		return fail(err)
	case len(found[idPrefix]) == 1: // a whole id fits, whatever else begins with it
		return oneOf(found[idPrefix]), idPrefix, nil
	case len(found) == 0:
		return fail(fmt.Errorf("%w; list every id with: grep -rho '\"task\":\"[^\"]*' %s | sort -u", ErrNoTask, root))
	case len(found) > 1:
		return fail(fmt.Errorf("%w: %s", ErrAmbiguous, firstOf(slices.Sorted(maps.Keys(found)), 8)))
	}
	for id, dirs := range found {
		if len(dirs) > 1 {
			return fail(fmt.Errorf("%w: %s is in %s", ErrAmbiguous, id, firstOf(slices.Sorted(maps.Keys(dirs)), 8)))
		}
		return oneOf(dirs), id, nil
	}
	return fail(ErrNoTask)
}

func oneOf(set map[string]bool) string {
	for k := range set {
		return k
	}
	return ""
}

// scan calls found with every task id of the file that begins with prefix. It
// looks at the bytes and parses no line: a run has many.
func scan(path, prefix string, found func(id string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	key := []byte(`"task":"`)
	in := bufio.NewReaderSize(f, 1<<16)
	for {
		line, err := in.ReadBytes('\n')
		if i := bytes.Index(line, key); i >= 0 {
			id := line[i+len(key):]
			if end := bytes.IndexByte(id, '"'); end >= 0 && bytes.HasPrefix(id[:end], []byte(prefix)) {
				found(string(id[:end]))
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the ledger %s: %w", path, err)
		}
	}
}
