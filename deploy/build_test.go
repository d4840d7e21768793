package deploy_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// acklab builds the program once for all tests of this package.
var acklab = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "acklab-deploy-")
	if err != nil {
		return "", err
	}
	scratch = dir
	path := filepath.Join(dir, "acklab")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "../cmd/acklab").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build acklab: %w\n%s", err, out)
	}
	return path, nil
})

// scratch holds the program and is removed by TestMain.
var scratch string

// refused is what the program says against a command line, or nothing. It is
// asked for help instead of work, so that it stops after the flags.
func refused(t *testing.T, words []string) string {
	t.Helper()
	key := strings.Join(words, "\x00")
	if said, known := refusals.Load(key); known {
		return said.(string)
	}
	path, err := acklab()
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	if out, err := exec.CommandContext(t.Context(), path, append(slices.Clone(words), "--help")...).CombinedOutput(); err != nil {
		said = fmt.Sprintf("%v: %s", err, strings.TrimSpace(string(out)))
	}
	refusals.Store(key, said)
	return said
}

// refusals remembers refused by command line: most copies of the deployment
// have the same ones.
var refusals sync.Map

// command: the program itself reads the service's command line, whose metrics
// others can reach, whose end is polite and whose ledger stays.
func command(t *testing.T, d deployment, s types.ServiceConfig) (found []string) {
	t.Helper()
	if said := refused(t, s.Command); said != "" {
		found = append(found, fmt.Sprintf("%s: acklab refuses its command: %s", s.Name, said))
	}
	for _, word := range s.Command[1:] {
		if !strings.HasPrefix(word, "--") {
			found = append(found, fmt.Sprintf("%s: %q is no flag with its value", s.Name, word))
		}
	}
	host, _, err := net.SplitHostPort(flag(s, "metrics-addr"))
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		found = append(found, fmt.Sprintf("%s: --metrics-addr %q is one that no other container reaches", s.Name, flag(s, "metrics-addr")))
	}
	return append(append(found, stopping(s)...), ledgerFolder(d, s)...)
}

var (
	from      = regexp.MustCompile(`(?m)^FROM (\S+)`)
	goVersion = regexp.MustCompile(`(?m)^go (\S+)$`)
	user      = regexp.MustCompile(`(?m)^USER (\S+)`)
)

// dockerfileFaults says what is wrong with the Dockerfile and .dockerignore.
func (d deployment) dockerfileFaults(t *testing.T) (found []string) {
	t.Helper()
	goMod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range from.FindAllStringSubmatch(d.dockerfile, -1) {
		if !fullVersion.MatchString(base[1]) {
			found = append(found, fmt.Sprintf("Dockerfile: image %s has no tag with a full version", base[1]))
		}
		if tag, ok := strings.CutPrefix(base[1], "golang:"); ok {
			version, _, _ := strings.Cut(tag, "-")
			if want := goVersion.FindStringSubmatch(string(goMod))[1]; version != want {
				found = append(found, fmt.Sprintf("Dockerfile: Go %s, and go.mod has %s", version, want))
			}
		}
	}
	stages := from.FindAllStringIndex(d.dockerfile, -1)
	if len(stages) < 2 {
		return append(found, "Dockerfile: one stage, so that the compiler is in the image")
	}
	users := user.FindAllStringSubmatch(d.dockerfile[stages[len(stages)-1][0]:], -1)
	if len(users) == 0 || strings.HasPrefix(users[len(users)-1][1], "root") || strings.HasPrefix(users[len(users)-1][1], "0") {
		found = append(found, "Dockerfile: the program runs as root")
	}
	if !strings.Contains(d.dockerfile, "CGO_ENABLED=0 go build") {
		found = append(found, "Dockerfile: not built with CGO_ENABLED=0; the last stage has no C library of the first")
	}
	return append(found, d.ignoreFaults(t)...)
}

// sources are the files of the module that the program is made of, those that
// it embeds included, relative to its top.
var sources = sync.OnceValues(func() ([]string, error) {
	const each = `{{with .Module}}{{if .Main}}{{range $.GoFiles}}{{$.Dir}}/{{.}}
{{end}}{{range $.EmbedFiles}}{{$.Dir}}/{{.}}
{{end}}{{end}}{{end}}`
	out, err := exec.Command("go", "list", "-deps", "-f", each, "../cmd/acklab").Output()
	if err != nil {
		return nil, err
	}
	top, err := filepath.Abs("..")
	if err != nil {
		return nil, err
	}
	files := []string{"go.mod", "go.sum"}
	for line := range strings.Lines(string(out)) {
		if file, ok := strings.CutPrefix(strings.TrimSpace(line), top+"/"); ok {
			files = append(files, file)
		}
	}
	return files, nil
})

// ignoreFaults: nothing that the build needs is left out of its context. A
// line is a plain name at the top, so that this can be seen.
func (d deployment) ignoreFaults(t *testing.T) (found []string) {
	t.Helper()
	files, err := sources()
	if err != nil || len(files) < 100 {
		t.Fatalf("go list: %d files, %v", len(files), err)
	}
	for line := range strings.Lines(d.ignore) {
		name := strings.TrimSpace(line)
		switch {
		case name == "" || strings.HasPrefix(name, "#"):
			continue
		case strings.ContainsAny(name, "*?[!/\\"):
			found = append(found, fmt.Sprintf(".dockerignore: %q is no plain name", name))
			continue
		}
		for _, file := range files {
			if file == name || strings.HasPrefix(file, name+"/") {
				found = append(found, fmt.Sprintf(".dockerignore: leaves out %s with %s, which the program is made of", name, file))
				break
			}
		}
	}
	return found
}
