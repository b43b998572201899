package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// progress shows on a terminal, when it takes long, how far a file is read or something else is
// done, or how long it takes where the end is not known.
type progress struct {
	out  io.Writer // nil: nobody looks
	stop func()    // ends wait; nil: nothing waits

	mu    sync.Mutex // guards all below, as wait shows it by the clock
	name  string
	size  int64 // 0: not known
	read  int64
	began time.Time // of what wait shows; zero: it counts bytes
	next  time.Time // when to show it again
	shown bool
}

// newProgress waits a second before it shows anything.
func newProgress(w *world) *progress {
	p := &progress{next: time.Now().Add(time.Second)}
	if w.watched {
		p.out = w.err
	}
	return p
}

// begin goes on to another file.
func (p *progress) begin(name string, size int64) {
	p.set(filepath.Base(name), size, 0)
}

func (p *progress) set(name string, size, read int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name, p.size, p.read = name, size, read
}

// at shows how far a step is, in whatever it counts.
func (p *progress) at(step string, done, all int64) {
	p.set(step, all, done)
	p.show()
}

// Write counts what was read.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	p.read += int64(len(b))
	p.mu.Unlock()
	p.show()
	return len(b), nil
}

// show shows how far it is, some times a second.
func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.out != nil && !now.Before(p.next) {
		p.next, p.shown = now.Add(200*time.Millisecond), true
		fmt.Fprintf(p.out, "\r\x1b[K%s", p.text(now))
	}
}

// files counts files that were asked.
func (p *progress) files(done, of int) { p.at("indexes", int64(done), int64(of)) }

// wait shows each second how long something takes, until clear.
func (p *progress) wait(what string) {
	if p.out == nil {
		return
	}
	p.set(what, 0, 0)
	p.began = time.Now()
	ended, gone := make(chan struct{}), make(chan struct{})
	tick := time.NewTicker(time.Second)
	go func() {
		defer close(gone)
		for {
			select {
			case <-tick.C:
				p.show()
			case <-ended:
				return
			}
		}
	}()
	p.stop = func() {
		tick.Stop()
		close(ended)
		<-gone
	}
}

// text is what is shown: "sacct.txt [#########>          ]  45 %", or "asking the index … 3 s".
func (p *progress) text(now time.Time) string {
	name := oneLine(p.name)
	switch {
	case p.size > 0:
		return fmt.Sprintf("%.40s  [%s] %3.0f %%", name, bar(p.share()), p.share()*100)
	case !p.began.IsZero():
		return fmt.Sprintf("%.40s … %d s", name, int(now.Sub(p.began).Seconds()))
	}
	return fmt.Sprintf("%.40s  %.1f MiB read", name, float64(p.read)/(1<<20))
}

func (p *progress) share() float64 { return min(1, float64(p.read)/float64(p.size)) }

func bar(share float64) string {
	const width = 20
	filled := 0
	for filled < width && float64(filled) < share*width {
		filled++
	}
	return strings.Repeat("#", filled) + strings.Repeat(" ", width-filled)
}

// clear takes it away again, and ends wait.
func (p *progress) clear() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// before is a writer that takes the progress away before anything is written to out: both may
// be the same terminal.
func (p *progress) before(out io.Writer) io.Writer { return &wiping{out, p} }

type wiping struct {
	io.Writer
	progress *progress
}

func (w *wiping) Write(b []byte) (int, error) {
	w.progress.clear()
	return w.Writer.Write(b)
}
