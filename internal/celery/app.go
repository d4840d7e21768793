package celery

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed app.py
var app []byte

//go:embed beat.py
var beat []byte

// WriteApp writes app.py, and beat.py, which needs it beside itself, into the folder,
// which must exist, and returns the path of app.py.
func WriteApp(dir string) (string, error) {
	for name, text := range map[string][]byte{"app.py": app, "beat.py": beat} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return "", fmt.Errorf("write the Celery application: %w", err)
		}
	}
	return filepath.Join(dir, "app.py"), nil
}
