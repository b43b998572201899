package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"procmon/report/mine"
)

// What one answer may take.
const (
	answerMemory = 128 << 20 // that it tries to stay below
	answerSpace  = 2 << 30   // address space, most of which Go and SQLite only reserve
	answerCPU    = 10        // seconds
)

// answerUser answers a user's question; procmond starts it when one is asked, as root.
func (w *world) answerUser(c *cli.Context) error {
	limit := func(what int, most uint64) error { return unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}) }
	err := errors.Join(
		limit(unix.RLIMIT_CPU, answerCPU), limit(unix.RLIMIT_AS, answerSpace), limit(unix.RLIMIT_CORE, 0), limit(unix.RLIMIT_FSIZE, 0),
		os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)) // this process goes first when memory is short
	if err != nil {
		return fmt.Errorf("limiting the answer: %w", err)
	}
	if err := drop(c.String("index")); err != nil {
		return err
	}
	debug.SetMemoryLimit(answerMemory)
	return mine.Reply(c.Context, c.String("index"), uint32(c.Uint64("uid")), w.in, time.Now()).Write(w.out)
}
