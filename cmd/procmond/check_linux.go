package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"procmon/appmap"
	"procmon/collector/bpf"
	"procmon/collector/procconn"
	"procmon/collector/syslog"
)

// runCheck looks at everything that collecting needs and says how to mend what
// is missing. It changes nothing; with load it starts programs, which a running
// daemon records like any others.
func runCheck(ctx context.Context, s *Settings, load bool, w, progress io.Writer) error {
	failed := 0
	all := findings(ctx, s)
	if load {
		all = append(all, checkLoad(ctx, s, progress)...)
	}
	for _, f := range all {
		state := "ok"
		switch {
		case f.err != nil && f.warn:
			state = "warn"
		case f.err != nil:
			state = "FAIL"
			failed++
		}
		line := fmt.Sprintf("%-5s %s", state, f.what)
		if f.err != nil {
			line += fmt.Sprintf(": %v\n      → %s", f.err, f.fix)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of the checks failed", errNotPossible, failed)
	}
	return nil
}

func findings(ctx context.Context, s *Settings) []finding {
	all := []finding{
		{what: "runs as root", err: isRoot(), fix: "start it by systemd or with sudo"},
	}
	all = append(all, checkSource(s)...)
	all = append(all, []finding{
		{what: "index " + s.IndexPath, err: writableFor(s.IndexPath, s.IndexPath == "off"), fix: "make the directory and let root write there, or set index.path"},
		{what: "job facts in " + s.JobsDir, err: trusted(s.JobsDir), warn: true, fix: "systemd-tmpfiles --create makes it; without it jobs are known by cgroup and environment alone"},
		{what: "application rules", err: checkRules(s), fix: "mend the file that is named"},
	}...)
	return append(all, checkSyslog(ctx, s))
}

func isRoot() error {
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("user id is %d", uid)
	}
	return nil
}

// checkSource tries the sources that the settings allow, until one works.
func checkSource(s *Settings) []finding {
	var all []finding
	if s.Source != procconn.Name {
		f := checkBPF(s)
		f.warn = s.Source != bpf.Name // auto goes on without
		all = append(all, f)
		if f.err == nil {
			return append(all, finding{
				what: "place of pinned programs " + s.BPFPin, err: checkPin(s.BPFPin), warn: true,
				fix: "mount -t bpf bpf /sys/fs/bpf, or set bpf.pin; without it what happens while no daemon runs is not seen",
			})
		}
		if !f.warn {
			return all
		}
	}
	return append(all, checkProcconn(s), finding{
		what: "real-time readers", err: canRealtime(s), warn: true,
		fix: "grant CAP_SYS_NICE, or set procconn.realtime = \"off\" and accept that more programs vanish unread",
	})
}

func checkBPF(s *Settings) finding {
	f := finding{what: "eBPF programs", fix: "Linux 5.17 with CONFIG_DEBUG_INFO_BTF, and CAP_BPF and CAP_PERFMON; until then source = \"procconn\" does with less"}
	source, err := openBPF(s, "", "off", slog.New(slog.DiscardHandler))
	if err != nil {
		f.err = err
		return f
	}
	f.err = source.Close()
	return f
}

func checkPin(pin string) error {
	if pin == "off" {
		return errors.New("bpf.pin is off")
	}
	return bpf.CanPin(pin)
}

func checkProcconn(s *Settings) finding {
	f := finding{what: "process connector and taskstats", fix: "the kernel needs CONFIG_PROC_EVENTS and CONFIG_TASKSTATS, procmond CAP_NET_ADMIN and the host's own pid namespace"}
	source, err := procconn.Open(procconn.Config{
		Proc: "/proc", Env: envFilter(), MaxArgs: int(s.ArgsBytes), BufferBytes: 1 << 20, RingBytes: 1 << 16, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.err = err
		return f
	}
	if !source.Finals() {
		f.warn, f.err = true, errors.New("no taskstats: runs will have no CPU time")
	}
	if err := source.Close(); err != nil && f.err == nil {
		f.err = err
	}
	return f
}

// canRealtime tries on the thread that asks, and takes it back.
func canRealtime(s *Settings) error {
	if s.Realtime == "off" {
		return nil
	}
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		return fmt.Errorf("SCHED_FIFO: %w", err)
	}
	attr = unix.SchedAttr{Size: unix.SizeofSchedAttr}
	return unix.SchedSetAttr(0, &attr, 0)
}

// writableFor says whether a file can be written or made; the daemon makes
// directories that are missing.
func writableFor(path string, off bool) error {
	if off {
		return nil
	}
	for {
		err := unix.Access(path, unix.W_OK)
		if err == nil || !errors.Is(err, unix.ENOENT) || path == filepath.Dir(path) {
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			return nil
		}
		path = filepath.Dir(path)
	}
}

// trusted says whether only root can write to a directory.
func trusted(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); errors.Is(err, unix.ENOENT) {
		return nil // the daemon makes it
	} else if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Uid != 0 || st.Mode&0o022 != 0 {
		return errors.New("not a directory of root's that only root may write")
	}
	return nil
}

func checkRules(s *Settings) error {
	m, err := appmap.New(appmap.Config{CatalogDir: s.CatalogDir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return m.Close()
}

// checkSyslog looks for the receiver's socket without sending anything.
func checkSyslog(ctx context.Context, s *Settings) finding {
	f := finding{what: "syslog " + s.SyslogAddress, warn: true, fix: "install contrib/rsyslog/procmon.conf and restart rsyslog, or set syslog.address; lines wait in the spool until then"}
	if s.SyslogAddress != "auto" {
		return f
	}
	for _, path := range []string{syslog.OwnSocket, "/dev/log"} {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unixgram", path)
		if err == nil {
			_ = conn.Close()
			if path != syslog.OwnSocket {
				f.err = fmt.Errorf("only %s is there: journald may drop lines and cuts long ones", path)
			}
			return f
		}
		f.err = err
	}
	return f
}
