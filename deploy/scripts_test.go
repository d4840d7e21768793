package deploy_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run starts a script of this folder and returns its exit status and all that
// it printed. extra goes on top of the environment.
func run(t *testing.T, extra []string, script string, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "./"+script, args...)
	cmd.Env = append(os.Environ(), extra...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", script, err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func TestTheInstallerRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"everything"}} {
		if status, said := run(t, nil, "install.sh", args...); status != 64 || !strings.HasPrefix(said, "usage: ") {
			t.Errorf("install.sh %v: status %d, said %q; want 64 and the usage", args, status, said)
		}
	}
}

func TestTheInstallerTakesTheServersThatTheEnvironmentNames(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	for _, c := range []struct{ env, says string }{
		{"ACKLAB_REDIS_SERVER=" + home + "/none", "ACKLAB_REDIS_SERVER=" + home + "/none is not a program"},
		{"ACKLAB_PROMETHEUS=" + home + "/none", "ACKLAB_PROMETHEUS=" + home + "/none is not a program"},
		{"ACKLAB_RABBITMQ_HOME=" + home, "ACKLAB_RABBITMQ_HOME=" + home + " has no sbin/rabbitmq-server"},
		{"ACKLAB_POSTGRES_HOME=" + home, "ACKLAB_POSTGRES_HOME=" + home + " has no bin/postgres"},
	} {
		status, said := run(t, []string{c.env}, "install.sh", "--missing")
		if status != 1 || !strings.Contains(said, c.says) {
			t.Errorf("with %s: status %d, said %q; want 1 and %q", c.env, status, said, c.says)
		}
	}

	if err := os.MkdirAll(home+"/sbin", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"redis", "sbin/rabbitmq-server"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	status, said := run(t, []string{"ACKLAB_REDIS_SERVER=" + home + "/redis", "ACKLAB_RABBITMQ_HOME=" + home}, "install.sh", "--missing")
	if status != 0 || strings.Contains(said, "redis") || strings.Contains(said, "rabbitmq") {
		t.Errorf("with both named: status %d, missing %q; want neither redis nor rabbitmq", status, said)
	}
}

func TestTheGoVersionIsComparedNumberByNumber(t *testing.T) {
	t.Parallel()
	goMod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(goMod), "\ngo ")
	need, _, _ := strings.Cut(rest, "\n")
	for version, status := range map[string]int{
		"go" + need:               0,
		"go" + need + "-X:jsonv2": 0,
		"go" + need + "0":         0, // 1.26.80
		"go1.100rc1":              0,
		"go2.0":                   0,
		"devel go1.28-0123abcd":   0,
		"go1.9.9":                 1,
		"go1.19":                  1,
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			bin := t.TempDir()
			fake := "#!/bin/sh\necho '" + version + "'\n"
			if err := os.WriteFile(bin+"/go", []byte(fake), 0o755); err != nil {
				t.Fatal(err)
			}
			got, said := run(t, []string{"PATH=" + bin + ":" + os.Getenv("PATH")}, "check-go.sh")
			if got != status || (status == 0) != (said == "") || status == 1 && !strings.Contains(said, "https://go.dev/dl") {
				t.Errorf("status %d, said %q; want %d", got, said, status)
			}
		})
	}
}
