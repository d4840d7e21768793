package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// manifestName is the manifest's file in the folder of its trial.
const manifestName = "trial.json"

// SaveTrial writes the manifest into the trial's folder, which it makes if
// need be. The file is there whole or not at all: a reader never sees half of
// one, and an error leaves an older one as it was.
func SaveTrial(dir string, t Trial) error {
	if err := writeManifest(dir, t); err != nil {
		return fmt.Errorf("save the manifest of trial %s: %w", t.ID, err)
	}
	return nil
}

func writeManifest(dir string, t Trial) error {
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, manifestName+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing to remove
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, manifestName))
}

// LoadTrial reads the manifest of the trial in the folder and the ledgers that
// it names, by the name it has for them. A ledger that is not there is left
// out of the map: what that means is for the checker to say. Errors: the
// manifest cannot be read or is no manifest, a ledger lies outside of the
// folder or cannot be read though it exists.
func LoadTrial(dir string) (Trial, map[string]File, error) {
	path := filepath.Join(dir, manifestName)
	b, err := os.ReadFile(path)
	if err != nil {
		return Trial{}, nil, fmt.Errorf("read the manifest: %w", err)
	}
	var t Trial
	if err := json.Unmarshal(b, &t); err != nil {
		return Trial{}, nil, fmt.Errorf("read the manifest %s: %w", path, err)
	}
	files := map[string]File{}
	for _, p := range t.Processes {
		if p.File == "" {
			continue
		}
		if !filepath.IsLocal(p.File) {
			return t, files, fmt.Errorf("manifest %s: the ledger %q of %s lies outside of the trial's folder", path, p.File, p.Name)
		}
		f, err := Read(filepath.Join(dir, p.File))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return t, files, err
		default:
			files[p.File] = f
		}
	}
	return t, files, nil
}
