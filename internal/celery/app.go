package celery

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed app.py
var app []byte

// WriteApp writes app.py into the folder, which must exist, and returns its path.
func WriteApp(dir string) (string, error) {
	path := filepath.Join(dir, "app.py")
	if err := os.WriteFile(path, app, 0o644); err != nil {
		return "", fmt.Errorf("write the Celery application: %w", err)
	}
	return path, nil
}
