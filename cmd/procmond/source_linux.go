package main

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"procmon/collector"
	"procmon/collector/bpf"
	"procmon/collector/procconn"
	"procmon/collector/procfs"
)

// source is a collector's source as the daemon holds it.
type source interface {
	collector.Source
	Name() string
	Close() error
}

// openSource opens the source that the settings name; auto takes bpf where the
// kernel can. Pin is where the programs of bpf stay, empty: they end with this
// process.
func openSource(s *Settings, boot, pin string, logger *slog.Logger) (source, error) {
	if s.Source == procconn.Name {
		return openProcconn(s, boot, logger)
	}
	src, err := openBPF(s, boot, pin, logger)
	if err == nil || s.Source == bpf.Name || !errors.Is(err, bpf.ErrUnavailable) {
		return src, err
	}
	logger.Info("the process connector is used instead of eBPF", "reason", err)
	return openProcconn(s, boot, logger)
}

type procconnSource struct{ *procconn.Source }

func (procconnSource) Name() string { return procconn.Name }

func openProcconn(s *Settings, boot string, logger *slog.Logger) (source, error) {
	if s.BPFPin != "off" { // a daemon that went on with bpf left its programs there
		if was, err := bpf.Detach(s.BPFPin); err != nil {
			logger.Warn("pinned programs can't be ended; procmond detach tries again", "error", err)
		} else if was {
			logger.Info("ended the pinned programs of an earlier daemon", "pin", s.BPFPin)
		}
	}
	if err := schedule(s.Realtime); err != nil {
		logger.Warn("priority can't be raised; under load more programs will vanish unread", "error", err)
	}
	src, err := procconn.Open(procconn.Config{
		Proc: "/proc", Boot: boot, Env: envFilter(), MaxArgs: int(s.ArgsBytes), BufferBytes: int(s.BufferBytes),
		RingBytes: ringBytes, Realtime: s.Realtime != "off", Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return procconnSource{src}, nil
}

// bpfSource is the source with the reader of /proc that it asks now and then.
type bpfSource struct {
	*bpf.Source
	guard *procfs.Guard
}

func (bpfSource) Name() string { return bpf.Name }

func (b bpfSource) Close() error { return errors.Join(b.Source.Close(), b.guard.Close()) }

// lookUpLimit is how long the source waits for a process that can't be read.
const lookUpLimit = 100 * time.Millisecond

func openBPF(s *Settings, boot, pin string, logger *slog.Logger) (source, error) {
	if pin == "off" {
		pin = ""
	}
	// The ring holds what comes while the daemon waits for a CPU, but not for ever.
	if err := schedule("readers"); err != nil {
		logger.Warn("priority can't be raised; the ring may fill up under load", "error", err)
	}
	env := envFilter()
	guard := procfs.NewGuard("/proc", env, int(s.ArgsBytes), lookUpLimit)
	src, err := bpf.Open(bpf.Config{
		Boot: boot, Exclude: s.ExcludeUIDs, MaxArgs: int(s.ArgsBytes), RingBytes: int(s.BPFRingBytes), Pin: pin,
		KeepEnv: env.Filter, Read: guard.Process, Ancestors: procfs.NewAncestry(guard.Process), Clock: procfs.Clock{}, Logger: logger,
	})
	if err != nil {
		return nil, errors.Join(err, guard.Close())
	}
	return bpfSource{src, guard}, nil
}

// detach ends what an earlier daemon left in the kernel.
func detach(pin string) (string, error) {
	was, err := bpf.Detach(pin)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", errNotPossible, err)
	case was:
		return "ended the programs pinned in " + pin + "\n", nil
	}
	return "nothing is pinned in " + pin + "\n", nil
}
