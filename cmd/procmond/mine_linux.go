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
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// What answering users may cost.
const (
	mineTime   = 10 * time.Second // of one question
	mineAtOnce = 2                // questions of all users together
	minePause  = 4                // times as long as an answer took its user must wait
	mineAsked  = 64 << 10         // bytes of a question
	mineTold   = 32 << 20         // bytes of an answer
)

// desk answers users' questions about their own runs. Each is answered by a
// procmon-report of its own, which the collector does not notice: it has the lowest priority,
// limits its memory and CPU time, is the first to go when memory is short, and gives up root's
// rights where the index's group may read it.
type desk struct {
	index string
	// program is procmon-report, as it lies beside this one; the daemon itself carries no reports.
	program string
	turns   chan struct{} // holds one for each that is being answered
	paces   paces
	// run answers one question in another process; tests replace it.
	run func(ctx context.Context, uid uint32, question io.Reader) ([]byte, error)
}

func newDesk(index string) (*desk, error) {
	self, err := os.Executable()
	d := &desk{index: index, program: filepath.Join(filepath.Dir(self), "procmon-report"), turns: make(chan struct{}, mineAtOnce)}
	d.run = d.process
	return d, err
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
	question, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mineAsked))
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
	cmd := exec.CommandContext(ctx, d.program, "answer", "--index", d.index, "--uid", strconv.FormatUint(uint64(uid), 10))
	said := &bounded{most: mineTold}
	cmd.Stdin, cmd.Stdout, cmd.Env, cmd.Dir = question, said, []string{"GOMAXPROCS=1"}, "/"
	cmd.WaitDelay = time.Second
	if err := startLow(cmd); err != nil {
		return nil, fmt.Errorf("starting an answer (is procmon-report installed beside procmond?): %w", err)
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
