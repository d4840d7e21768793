package bench

import (
	"bufio"
	"bytes"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"acklab/internal/server"
)

// wantedStore is the least part of the client library's throughput that a
// result store is to have.
const wantedStore = 0.8

// resultLaps are few, each of several rounds: it begins with a server of its
// own, and with a round that is not counted.
const resultLaps = 3

// BenchmarkRatioResultsRedis: results stored and fetched, against go-redis.
func BenchmarkRatioResultsRedis(b *testing.B) {
	_, missing := server.FindRedis()
	resultsOf(b, "redisresult", "results on Redis against go-redis", missing)
}

// BenchmarkRatioResultsPostgreSQL is the same against pgx.
func BenchmarkRatioResultsPostgreSQL(b *testing.B) {
	_, missing := server.FindPostgres()
	resultsOf(b, "postgresresult", "results on PostgreSQL against pgx", missing)
}

// resultsOf runs the benchmark that lies with the store, in its own program,
// and takes what it says into the table.
func resultsOf(b *testing.B, pkg, what string, missing error) {
	if missing != nil {
		results.notRun(what, missing)
		b.Skip(missing)
	}
	program := filepath.Join(b.TempDir(), pkg+".test")
	if out, err := exec.CommandContext(b.Context(), "go", "test", "-c", "-o", program, "acklab/result/"+pkg).CombinedOutput(); err != nil {
		b.Fatalf("go test -c: %v\n%s", err, out)
	}
	for b.Loop() { // its rounds are counted there
	}
	cmd := exec.CommandContext(b.Context(), program, "-test.run", "^$", "-test.bench", "^BenchmarkRatio$",
		"-test.benchtime", strconv.Itoa(max(1, b.N/resultLaps))+"x", "-test.count", strconv.Itoa(resultLaps))
	var failed bytes.Buffer
	cmd.Stderr = &failed
	said, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s: %v\n%s%s", pkg, err, said, &failed)
	}
	for _, kind := range []string{"store", "fetch"} {
		bare, ours := ratesIn(said, "BenchmarkRatio/"+kind)
		if len(bare) != resultLaps || len(ours) != resultLaps {
			b.Fatalf("%s says not what is expected of a benchmark:\n%s", pkg, said)
		}
		results.add(b, kind+"-x-of-bare", row{what + ": " + kind, bare, ours, wantedStore})
	}
}

// ratesIn reads the lines of one benchmark: its name, how many rounds, then
// values with their units.
func ratesIn(said []byte, name string) (bare, ours laps) {
	for lines := bufio.NewScanner(bytes.NewReader(said)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 4 || !strings.HasPrefix(words[0], name) {
			continue
		}
		for i := 2; i+1 < len(words); i += 2 {
			rate, err := strconv.ParseFloat(words[i], 64)
			switch {
			case err != nil || rate <= 0:
			case words[i+1] == "bare/s":
				bare = append(bare, lapAt(rate, tasks))
			case words[i+1] == "ours/s":
				ours = append(ours, lapAt(rate, tasks))
			}
		}
	}
	return bare, ours
}
