package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"procmon"
	"procmon/collector"
	"procmon/collector/procfs"
	"procmon/collector/syslog"
	"procmon/index"
	"procmon/jobmap"
)

const (
	drainTime  = 10 * time.Second // what a stop allows for writing what was seen
	queueBytes = 16 << 20         // what may wait in each of the collector's queues
	ringBytes  = 16 << 20         // what may wait between readers and pump, all CPUs together
)

// parts are the concrete things that a collector is made of.
type parts struct {
	settings *Settings
	logger   *slog.Logger
	host     string
	boot     string

	source source
	census *procfs.Census
	jobs   *jobmap.Registry
	apps   *reloadable
	index  *index.Writer // nil: off
	syslog *syslog.Sink  // nil: off
}

// runDaemon collects until ctx ends.
func runDaemon(ctx context.Context, s *Settings, stderr io.Writer) (err error) {
	d := &parts{settings: s, logger: slog.New(slog.NewTextHandler(stderr, nil))}
	defer tuneMemory()()
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.open(ctx); err != nil {
		return err
	}
	tuneThreads(d.source.Name())
	ready := make(chan struct{})
	cfg := d.config()
	cfg.Ready = func() { close(ready) }
	c := collector.New(cfg)

	beside, stopBeside := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-ready:
			_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
			d.serve(beside, c)
		case <-beside.Done():
		}
	})
	wg.Go(func() { d.maintain(beside) })
	err = c.Run(ctx, drainTime)
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	stopBeside()
	wg.Wait()
	return err
}

// open makes the parts. The source comes first, so that what starts from here
// on is seen.
func (d *parts) open(ctx context.Context) error {
	s := d.settings
	var err error
	if err := places(s); err != nil {
		return err
	}
	if d.boot, err = procfs.BootID("/proc"); err != nil {
		return fmt.Errorf("%w: %w", errNotPossible, err)
	}
	if d.host, err = os.Hostname(); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	if d.apps, err = newReloadable(s, d.logger); err != nil {
		return err
	}
	env := envFilter()
	if d.source, err = openSource(s, d.boot, s.BPFPin, d.logger); err != nil {
		return fmt.Errorf("%w: %w; run \"procmond check\"", errNotPossible, err)
	}
	if d.census, err = procfs.NewCensus("/proc", d.boot, env, int(s.ArgsBytes)); err != nil {
		return err
	}
	if d.jobs, err = jobmap.OpenRegistry(s.JobsDir); err != nil {
		return fmt.Errorf("job facts: %w", err)
	}
	d.jobs.Log = d.logger
	return d.openSinks(ctx)
}

func (d *parts) openSinks(ctx context.Context) error {
	s := d.settings
	var err error
	if s.IndexPath != "off" {
		if d.index, err = index.Open(ctx, index.Options{
			Path: s.IndexPath, Host: d.host, Boot: d.boot, Group: s.Group, KeepRuns: time.Duration(s.IndexKeepRuns),
			KeepUsage: time.Duration(s.IndexKeepUsage), MaxBytes: int64(s.IndexMaxBytes), Logger: d.logger,
		}); err != nil {
			return fmt.Errorf("index: %w", err)
		}
	}
	if s.SyslogAddress == "off" {
		return nil
	}
	tlsConfig, err := s.tlsConfig()
	if err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	d.syslog, err = syslog.Open(ctx, syslog.Options{
		Address: s.SyslogAddress, Schema: syslog.Schema(s.SyslogSchema), MaxBytes: int(s.SyslogMaxBytes),
		CommandLine: s.SyslogCommandLine, Host: d.host, Spool: s.SyslogSpool, SpoolMax: int64(s.SyslogSpoolBytes), TLS: tlsConfig, Logger: d.logger,
	})
	switch {
	case errors.Is(err, syslog.ErrAddress), errors.Is(err, syslog.ErrOption):
		return fmt.Errorf("%w: %w", errConfig, err)
	case err != nil:
		return fmt.Errorf("syslog: %w", err)
	}
	return nil
}

// config joins the parts.
func (d *parts) config() collector.Config {
	s := d.settings
	jobs := jobmap.New(s.jobConfig(d.jobs))
	cfg := collector.Config{
		Host: d.host, Boot: d.boot, Version: version, Capture: d.source.Name(),
		Source: d.source, Census: d.census, Clock: procfs.Clock{},
		Jobs:       jobs,
		Identifier: d.apps, Users: &userNames{}, JobEnds: d.jobs,
		Record: s.records, Person: s.person, StartAfter: time.Duration(s.StartAfter), CheckpointEvery: time.Duration(s.CheckpointEvery),
		QueueBytes: queueBytes, Logger: d.logger,
	}
	if s.CheckpointEvery > 0 {
		cfg.Meter = d.census
		if books, ok := d.source.(collector.Meter); ok { // it knows better than /proc
			cfg.Meter = books
		}
	}
	if cpu, err := procfs.NewCgroupCPU("/proc"); err != nil {
		d.logger.Warn("summaries of jobs lack what their cgroups used", "error", err)
	} else {
		cfg.JobMeter = jobMeter{jobs, cpu}
	}
	if d.index != nil {
		cfg.Store, cfg.JobShares = d.index, d.index
		cfg.Sinks = append(cfg.Sinks, collector.SinkConfig{Name: "index", Sink: d.index, Bytes: queueBytes, Linger: time.Second})
	}
	if d.syslog != nil {
		cfg.Sinks = append(cfg.Sinks, collector.SinkConfig{Name: "syslog", Sink: d.syslog, Bytes: queueBytes, Linger: 50 * time.Millisecond})
	}
	return cfg
}

// jobMeter joins who knows the cgroups of jobs to who reads them.
type jobMeter struct {
	*jobmap.Mapper
	cpu procfs.CgroupCPU
}

func (m jobMeter) CPU(g procmon.Cgroup) (time.Duration, error) { return m.cpu.Read(g) }

// maintain keeps the index in shape, and its clock going.
func (d *parts) maintain(ctx context.Context) {
	if d.index == nil {
		return
	}
	beat := time.NewTicker(time.Minute)
	defer beat.Stop()
	for n := 0; ; n++ {
		if n%10 == 0 {
			if err := d.index.Prune(ctx); err != nil && ctx.Err() == nil {
				d.logger.Error("index can't be pruned", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case now := <-beat.C:
			if err := d.index.Heartbeat(ctx, now); err != nil && ctx.Err() == nil {
				d.logger.Error("index can't be written", "error", err)
			}
		}
	}
}

// close gives back what the collector does not close itself; it closes its
// sinks, but none if it never ran.
func (d *parts) close() error {
	var errs []error
	if d.source != nil {
		errs = append(errs, d.source.Close())
	}
	if d.census != nil {
		errs = append(errs, d.census.Close())
	}
	if d.apps != nil {
		errs = append(errs, d.apps.Close())
	}
	return errors.Join(errs...)
}

// places makes the directories that must be there.
func places(s *Settings) error {
	dirs := []struct {
		path string
		mode os.FileMode
		off  bool
	}{
		{filepath.Dir(s.ControlSocket), 0o755, s.ControlSocket == "off"},
		{s.JobsDir, 0o755, false},
		{filepath.Dir(s.IndexPath), 0o750, s.IndexPath == "off"},
	}
	for _, d := range dirs {
		if d.off {
			continue
		}
		if err := os.MkdirAll(d.path, d.mode); err != nil {
			return fmt.Errorf("make directory: %w; run as root, or name another place (see procmond config)", err)
		}
	}
	return nil
}
