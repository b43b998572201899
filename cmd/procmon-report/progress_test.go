package main

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// What takes long shows for how long, from one second on, and is gone before anything else
// is written to the terminal. The clock of a bubble is not the machine's.
func TestProgressOfWhatHasNoKnownEnd(t *testing.T) {
	for _, c := range []struct {
		name    string
		takes   time.Duration
		watched bool
		want    string
	}{
		{"a short question", 900 * time.Millisecond, true, "table"},
		{"a long one", 3500 * time.Millisecond, true, "\r\x1b[Kasking … 1 s\r\x1b[Kasking … 2 s\r\x1b[Kasking … 3 s\r\x1b[Ktable"},
		{"nobody looks", time.Minute, false, "table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var terminal bytes.Buffer
				p := newProgress(&world{err: &terminal, watched: c.watched})
				p.wait("asking")
				time.Sleep(c.takes)
				if _, err := io.WriteString(p.before(&terminal), "table"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute) // a table that somebody reads page by page
				p.clear()
				if got := terminal.String(); got != c.want {
					t.Errorf("the terminal got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// Several indexes are counted; one that takes long does not stop the bar.
func TestProgressOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal bytes.Buffer
		p := newProgress(&world{err: &terminal, watched: true})
		p.wait("asking")
		p.files(0, 4)
		time.Sleep(500 * time.Millisecond)
		p.files(2, 4)
		time.Sleep(700 * time.Millisecond)
		p.clear()
		if got, want := terminal.String(), fmt.Sprintf("\r\x1b[Kindexes  [%-20s]  50 %%\r\x1b[K", "##########"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// A report that fails leaves no progress behind on the terminal.
func TestProgressEndsWithAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{out: io.Discard, err: io.Discard, getenv: func(string) string { return "/nonexistent/x.db" }, now: time.Now(), zone: time.UTC, watched: true}
		if code := w.run(t.Context(), []string{"procmon-report"}); code != exitImpossible {
			t.Errorf("exit %d", code)
		}
	}) // which fails if anything goes on
}
