package index

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"procmon"
)

// TestMain is the child of TestKill when that asks for it.
func TestMain(m *testing.M) {
	if path := os.Getenv("INDEX_TEST_WRITE"); path != "" {
		if err := writeUntilKilled(path, os.Getenv("INDEX_TEST_ROUND")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

const killBatch = 50

// roundStart keeps the rounds' runs apart: each has a day of its own.
func roundStart(round int) time.Time { return t0.AddDate(0, 0, round) }

// writeUntilKilled writes batches for ever and prints a line for each that is
// stored. Every other batch is of runs in phases, so that updates are torn too.
func writeUntilKilled(path, round string) error {
	n, err := strconv.Atoi(round)
	if err != nil {
		return err
	}
	ctx := context.Background()
	w, err := Open(ctx, Options{Path: path, Host: "n1", Boot: "boot-1", Now: func() time.Time { return t0 }})
	if err != nil {
		return err
	}
	h := newHistory(rand.New(rand.NewPCG(uint64(n), 7)), 0.5)
	h.now, h.jobs = roundStart(n), n*1000
	for i := 0; ; i++ {
		batch := h.batch(killBatch)
		if i%2 == 1 {
			for _, r := range batch {
				start := r
				start.Phase = procmon.Start
				batch = append(batch, start)
			}
			batch = append(batch[killBatch:], batch[:killBatch]...)
		}
		if err := w.Write(ctx, batch); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// TestKill kills a writer with SIGKILL at random points. Each time the file
// must be sound, agree with itself, and hold every batch that was stored and
// no part of another.
func TestKill(t *testing.T) {
	rnd := seeded(t)
	path := testOptions(t).Path
	for round := range long(t, 25, 200) {
		stored := killOne(t, rnd, path, round)
		w, err := Open(t.Context(), Options{Path: path, Host: "n1", Boot: "boot-1"})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		r := mustRead(t, w)
		if got := dump(t, r, "PRAGMA quick_check"); got[0]["quick_check"] != "ok" {
			t.Fatalf("round %d: %v", round, got)
		}
		from := roundStart(round).UnixMicro()
		got := dump(t, r, "SELECT count(*) AS n FROM runs WHERE run_id BETWEEN ? AND ?", from, from+microsADay)[0]["n"].(int64)
		if got%killBatch != 0 || got < int64(stored*killBatch) {
			t.Fatalf("round %d: %d runs, want at least %d batches of %d and no part of one", round, got, stored, killBatch)
		}
		agree(t, r)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killOne starts a writer, kills it some time after some batches and says how
// many it had reported.
func killOne(t *testing.T, rnd *rand.Rand, path string, round int) (stored int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "INDEX_TEST_WRITE="+path, "INDEX_TEST_ROUND="+strconv.Itoa(round))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for after := 1 + rnd.IntN(10); stored < after && lines.Scan(); stored++ {
	}
	time.AfterFunc(time.Duration(rnd.IntN(8000))*time.Microsecond, func() { cmd.Process.Kill() })
	for lines.Scan() {
		stored++
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("round %d: the writer ended by itself: %v %s", round, err, stderr.String())
	}
	return stored
}
