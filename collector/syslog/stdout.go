package syslog

import (
	"context"
	"io"
)

// stdout writes lines to a writer that can't be interrupted. A write that ctx
// ended goes on behind, and until it is over nothing more is taken.
type stdout struct {
	w    io.Writer
	busy chan error // of the write under way, nil: none
	buf  []byte     // belongs to the write under way
}

// send takes lines that are in the writer's hands when ctx is done: to offer
// them again would print them twice.
func (t *stdout) send(ctx context.Context, lines [][]byte) (int, error) {
	if err := t.wait(ctx); err != nil {
		return 0, err
	}
	t.buf = t.buf[:0]
	for _, l := range lines {
		t.buf = append(append(t.buf, l...), '\n')
	}
	t.busy = make(chan error, 1)
	go func(b []byte, done chan<- error) {
		_, err := t.w.Write(b)
		done <- err
	}(t.buf, t.busy)
	if err := t.wait(ctx); err != nil && t.busy == nil {
		return 0, err
	}
	return len(lines), nil
}

func (t *stdout) wait(ctx context.Context) error {
	if t.busy == nil {
		return nil
	}
	select {
	case err := <-t.busy:
		t.busy = nil
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *stdout) usable(error) bool     { return true }
func (t *stdout) gone() <-chan struct{} { return nil }
func (t *stdout) close() error          { return nil }
