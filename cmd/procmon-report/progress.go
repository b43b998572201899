package main

import (
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// progress shows how far a file is read, or something else is done, on a terminal and when it takes long.
type progress struct {
	out   io.Writer // nil: nobody looks
	name  string
	size  int64 // 0: not known
	read  int64
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
	p.name, p.size, p.read = filepath.Base(name), size, 0
}

// at shows how far a step is, in whatever it counts.
func (p *progress) at(step string, done, all int64) {
	p.name, p.size, p.read = step, all, done
	p.show()
}

// Write counts what was read.
func (p *progress) Write(b []byte) (int, error) {
	p.read += int64(len(b))
	p.show()
	return len(b), nil
}

// show shows how far it is, some times a second.
func (p *progress) show() {
	if now := time.Now(); p.out != nil && now.After(p.next) {
		p.next, p.shown = now.Add(200*time.Millisecond), true
		fmt.Fprintf(p.out, "\r\x1b[K%s", p.text())
	}
}

// files counts files that were asked.
func (p *progress) files(done, of int) {
	p.name, p.size, p.read = "indexes", int64(of), int64(done)
	p.show()
}

// text is what is shown: "sacct.txt [#########>          ]  45 %".
func (p *progress) text() string {
	name := oneLine(p.name)
	if p.size == 0 {
		return fmt.Sprintf("%.40s  %.1f MiB read", name, float64(p.read)/(1<<20))
	}
	const width = 20
	share := min(1, float64(p.read)/float64(p.size))
	bar := make([]byte, width)
	for i := range bar {
		bar[i] = ' '
		if float64(i) < share*width {
			bar[i] = '#'
		}
	}
	return fmt.Sprintf("%.40s  [%s] %3.0f %%", name, bar, share*100)
}

// clear takes it away again.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}
