// Command procmon-report says which applications ran on a cluster, in which
// versions, for whom and at what cost, from the index that procmond writes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"procmon/appmap"
	"procmon/index"
	"procmon/report"
)

// The exit codes, the same as those of procmond.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitImpossible = 3 // no index here, or none that this program may or can read
)

// world is what the program knows of its surroundings, so that tests can
// choose it.
type world struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	now      time.Time
	zone     *time.Location
	// terminal is the width of the terminal that out is, 0: it is none.
	terminal int
	watched  bool // err is a terminal
}

func main() {
	signal.Ignore(syscall.SIGPIPE) // writing fails instead, and what is open is closed
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	w := &world{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		now: time.Now(), zone: time.Local, terminal: terminalWidth(os.Stdout), watched: terminalWidth(os.Stderr) > 0,
	}
	code := w.run(ctx, os.Args)
	stop()
	os.Exit(code)
}

// run runs the program and gives its exit code.
func (w *world) run(ctx context.Context, argv []string) int {
	w.out = outlet{w.out}
	err := w.start(ctx, argv)
	code := exitCode(err)
	if code != exitDone {
		fmt.Fprintf(w.err, "procmon-report: %s\n", oneLine(err.Error()))
	}
	if code == exitUsage {
		fmt.Fprintln(w.err, "procmon-report --help lists the flags and has examples.")
	}
	return code
}

func (w *world) start(ctx context.Context, argv []string) error {
	app := w.app()
	argv, err := reorder(app, asked(argv))
	if err != nil {
		return err
	}
	return app.RunContext(ctx, argv)
}

// usageError is wrong use of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	var usage usageError
	var name *report.UnknownError
	switch {
	case err == nil, enough(err):
		return exitDone
	case errors.As(err, &usage), errors.As(err, &name), errors.Is(err, report.ErrQuery), errors.Is(err, appmap.ErrCatalog):
		return exitUsage
	case errors.Is(err, index.ErrNone), errors.Is(err, index.ErrNewer), errors.Is(err, index.ErrOlder),
		errors.Is(err, index.ErrForeign), errors.Is(err, fs.ErrPermission), errors.Is(err, errNoDaemon):
		return exitImpossible
	}
	return exitFailed
}

// oneLine keeps what users typed from breaking a message.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
