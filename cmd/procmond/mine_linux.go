package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"procmon/report/mine"
)

// What answering users may cost.
const (
	mineTime   = 10 * time.Second // of one question
	mineAtOnce = 2                // questions of all users together
	minePause  = 4                // times as long as an answer took its user must wait
	mineMemory = 128 << 20        // that the answering process tries to stay below
	mineSpace  = 2 << 30          // address space that it can have, most of which Go and SQLite only reserve
)

// desk answers users' questions about their own runs. Each is answered by a
// process of its own, which the collector does not notice: it has the lowest priority, its
// memory and CPU time are limited, and it is the first to go when memory is short.
type desk struct {
	index string
	turns chan struct{} // holds one for each that is being answered
	paces paces
	// run answers one question in another process; tests replace it.
	run func(ctx context.Context, uid uint32, question io.Reader) ([]byte, error)
}

func newDesk(index string) *desk {
	d := &desk{index: index, turns: make(chan struct{}, mineAtOnce)}
	d.run = d.process
	return d
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(code int, wait time.Duration, why string) {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
		http.Error(w, why, code)
	}
	uid, ok := callerOf(r.Context())
	if !ok {
		http.Error(w, "not known who asks", http.StatusForbidden)
		return
	}
	question, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mine.MaxQuestion))
	if err != nil {
		http.Error(w, "the question is too long or does not come", http.StatusRequestEntityTooLarge)
		return
	}
	if wait := d.paces.begin(uid, time.Now()); wait > 0 {
		refuse(http.StatusTooManyRequests, wait, "one question after another, with a pause in between")
		return
	}
	var took time.Duration // waiting for the turn is not the user's fault
	defer func() { d.paces.end(uid, time.Now().Add(minePause*took)) }()
	ctx, cancel := context.WithTimeout(r.Context(), mineTime)
	defer cancel()
	select {
	case d.turns <- struct{}{}:
		defer func() { <-d.turns }()
	case <-ctx.Done():
		refuse(http.StatusServiceUnavailable, time.Second, "busy with other users' questions")
		return
	}
	began := time.Now()
	answer, err := d.run(ctx, uid, bytes.NewReader(question))
	took = time.Since(began)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(answer)
}

// process answers in another process.
func (d *desk) process(ctx context.Context, uid uint32, question io.Reader) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "answer", "--config", "/dev/null", "--index-path", d.index, "--uid", strconv.FormatUint(uint64(uid), 10))
	said := &bounded{most: mine.MaxAnswer}
	cmd.Stdin, cmd.Stdout, cmd.Env, cmd.Dir = question, said, []string{"GOMAXPROCS=1"}, "/"
	cmd.WaitDelay = time.Second
	if err := startLow(cmd); err != nil {
		return nil, fmt.Errorf("starting an answer: %w", err)
	}
	err := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("this takes longer than %s: ask for a shorter time", mineTime)
	case err != nil:
		return nil, fmt.Errorf("answering: %w", err)
	}
	return said.Bytes(), nil
}

// startLow starts a process with the lowest priority, whatever that of this one's
// threads is: a process inherits that of the thread which starts it. That thread ends.
func startLow(cmd *exec.Cmd) error {
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread goes with the goroutine
		attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: 19}
		err := unix.SchedSetAttr(0, &attr, 0)
		failed <- errors.Join(err, errIf(err == nil, cmd.Start))
	}()
	return <-failed
}

func errIf(do bool, f func() error) error {
	if !do {
		return nil
	}
	return f()
}

// runAnswer is that process.
func runAnswer(c *cli.Context, s *Settings, stdin io.Reader, stdout io.Writer) error {
	limit := func(what int, most uint64) error { return unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}) }
	err := errors.Join(
		limit(unix.RLIMIT_CPU, uint64(mineTime/time.Second)), limit(unix.RLIMIT_AS, mineSpace), limit(unix.RLIMIT_CORE, 0), limit(unix.RLIMIT_FSIZE, 0),
		os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0))
	if err != nil {
		return fmt.Errorf("limiting the answer: %w", err)
	}
	limitMemory(mineMemory)
	return mine.Reply(c.Context, s.IndexPath, uint32(c.Uint64("uid")), stdin, time.Now()).Write(stdout)
}

// bounded keeps so many bytes and then fails.
type bounded struct {
	bytes.Buffer
	most int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.most {
		return 0, errors.New("the answer is too long: ask for less")
	}
	return b.Buffer.Write(p)
}
