package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"procmon"
	"procmon/collector"
	"procmon/collector/procfs"
)

// loadRuns is how many programs check --load starts.
const loadRuns = 10_000

// checkLoad starts short programs and says what was recorded of them, by a
// collector of its own that only counts and, where one runs, by the daemon.
func checkLoad(ctx context.Context, s *Settings, progress io.Writer) []finding {
	failed := func(err error, fix string) []finding { return []finding{{what: "load", err: err, fix: fix}} }
	if err := isRoot(); err != nil {
		return failed(err, "start it with sudo")
	}
	storm, err := newStorm(ctx, loadRuns) // before anything here is given a priority that it would inherit
	if err != nil {
		return failed(err, "/bin/sh and true must be there for everybody")
	}
	defer func() { _ = storm.end() }()
	daemon := daemonAnswers(s)
	r, err := measureLoad(ctx, s, storm, progress)
	if err != nil {
		return failed(err, "mend what is said above, then try again")
	}
	all := []finding{r.finding()}
	if daemon {
		all = append(all, checkDaemonLoad(ctx, s, storm))
	}
	return all
}

// openLoadSource opens the source that the settings name, beside a daemon's: what
// that one has pinned is its own, and the load's user is seen whatever they say.
func openLoadSource(s *Settings, boot string, logger *slog.Logger) (source, error) {
	own := *s
	own.BPFPin, own.ExcludeUIDs = "off", uids{0}
	return openSource(&own, boot, own.BPFPin, logger)
}

// measureLoad lets a storm go before a collector that counts.
func measureLoad(ctx context.Context, s *Settings, storm *storm, progress io.Writer) (r loadResult, err error) {
	logger := slog.New(slog.DiscardHandler)
	boot, err := procfs.BootID("/proc")
	if err != nil {
		return r, err
	}
	source, err := openLoadSource(s, boot, logger)
	if err != nil {
		return r, err
	}
	tuneThreads(source.Name()) // as the daemon
	defer func() { err = errors.Join(err, source.Close()) }()
	census, err := procfs.NewCensus("/proc", boot, envFilter(), int(s.ArgsBytes))
	if err != nil {
		return r, err
	}
	uid, _ := nobody()
	count, ready := newLoadCount(storm.tag, uid, source.Name(), loadRuns), make(chan struct{})
	c := collector.New(collector.Config{
		Boot: boot, Capture: source.Name(), Source: source, Census: census, Clock: procfs.Clock{}, Jobs: unmapped{}, Identifier: unmapped{},
		Users: noNames{}, Sinks: []collector.SinkConfig{{Name: "load", Sink: count, Bytes: queueBytes}},
		// What was started here counts, whatever the settings say of that user.
		Record:     func(p *procmon.Process, _ *procmon.Job) bool { return p.UID == uid },
		Person:     func(u uint32) bool { return u == uid },
		StartAfter: time.Hour, QueueBytes: queueBytes, Ready: func() { close(ready) }, Logger: logger,
	})
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, drainTime) }()
	defer func() { stop(); err = errors.Join(err, <-done) }()
	select {
	case <-ready:
	case err := <-done:
		done <- nil
		return r, err
	}
	stopProgress := showProgress(progress, count)
	before := cpuTime()
	err = errors.Join(storm.run(), c.Flush(ctx))
	spent := cpuTime() - before
	stopProgress()
	if err != nil {
		return r, err
	}
	r = count.done(storm.pids())
	r.microsPerRun = spent.Microseconds() / loadRuns
	return r, nil
}

// unmapped maps nothing and names nothing: capture alone is put to the test.
type unmapped struct{}

func (unmapped) Job(*procmon.Process, procmon.Job) procmon.Job { return procmon.Job{} }

func (unmapped) Known(*procmon.Process) (procmon.Application, bool) {
	return procmon.Application{Kind: procmon.KindUnknown}, true
}

func (unmapped) Identify(context.Context, *procmon.Process) procmon.Application {
	return procmon.Application{Kind: procmon.KindUnknown}
}

// noNames knows no user's name.
type noNames struct{}

func (noNames) Known(uint32) (string, bool) { return "", true }
func (noNames) Name(uint32) string          { return "" }

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// showProgress writes how far it is to a terminal, until the result is called.
func showProgress(w io.Writer, count *loadCount) (stop func()) {
	f, ok := w.(*os.File)
	if !ok {
		return func() {}
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return func() {}
	}
	ended, closed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(closed)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			fmt.Fprintf(f, "\rload: %s of %s runs", grouped(int64(count.recorded())), grouped(loadRuns))
			select {
			case <-tick.C:
			case <-ended:
				fmt.Fprint(f, "\r\x1b[K")
				return
			}
		}
	}()
	return func() { close(ended); <-closed }
}
