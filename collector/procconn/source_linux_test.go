package procconn

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"procmon"
	"procmon/collector/procfs"
)

// listener gathers what a real source emits.
type listener struct {
	source *Source
	stop   context.CancelFunc
	done   chan error

	mu     sync.Mutex // guards events
	events []procmon.Event
}

func listenForReal(t *testing.T, buffer int) *listener {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may listen to the process connector")
	}
	source, err := Open(Config{
		Proc: "/proc", Boot: "b", Env: procfs.NewEnvFilter("PROCCONN_TEST"), MaxArgs: 4096,
		BufferBytes: buffer, RingBytes: 8 << 20, Realtime: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &listener{source: source, done: make(chan error, 1)}
}

func (l *listener) run(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	go func() {
		l.done <- l.source.Run(ctx, func(e *procmon.Event) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.events = append(l.events, *e)
		})
	}()
	t.Cleanup(func() { l.end(t) })
}

func (l *listener) end(t *testing.T) {
	if l.stop == nil {
		return
	}
	l.stop()
	l.stop = nil
	if err := <-l.done; err != nil {
		t.Error(err)
	}
	if err := l.source.Close(); err != nil {
		t.Error(err)
	}
}

// until waits for the events that f wants; f says when it has them.
func (l *listener) until(t *testing.T, what string, f func([]procmon.Event) bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		l.mu.Lock()
		ok := f(l.events)
		l.mu.Unlock()
		if ok {
			return
		}
		time.Sleep(10 * time.Millisecond) // events come by callback; there is nothing to block on
	}
	t.Fatal("not seen: ", what)
}

func TestIntegrationSourceSeesAProgram(t *testing.T) {
	l := listenForReal(t, 64<<20)
	l.run(t)
	cmd := exec.Command("sh", "-c", "read x; exit 3", "unique-argument")
	cmd.Env = []string{"PROCCONN_TEST=yes", "SECRET=no"}
	before := time.Now()
	stdin, err := cmd.StdinPipe() // it stays until it was seen, however busy the machine is
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := int32(cmd.Process.Pid)
	var start procmon.ProcessID
	l.until(t, "exec", func(events []procmon.Event) bool {
		for _, e := range events {
			if e.Kind != procmon.EventExec || e.Process.Run.Process.PID != pid {
				continue
			}
			p := e.Process
			start = p.Run.Process
			if !strings.Contains(string(p.Args), "unique-argument") || string(p.Env) != "PROCCONN_TEST=yes\x00" || p.Missing != 0 || p.PPID != int32(os.Getpid()) {
				t.Errorf("args %q, env %q, missing %v, parent %d", p.Args, p.Env, p.Missing.Names(), p.PPID)
			}
			if p.Time.Before(before.Add(-time.Second)) || p.Time.After(time.Now().Add(time.Second)) || p.Run.Exec != e.Time {
				t.Errorf("time %v, now %v", p.Time, time.Now())
			}
			if len(p.Ancestors) == 0 || p.Ancestors[0].ID.PID != int32(os.Getpid()) {
				t.Errorf("ancestors %+v", p.Ancestors)
			}
			return true
		}
		return false
	})
	_ = stdin.Close()
	_ = cmd.Wait()
	var exit, final bool
	l.until(t, "exit and counters", func(events []procmon.Event) bool {
		for _, e := range events {
			if e.Proc.PID != pid {
				continue
			}
			if e.Kind == procmon.EventExit {
				exit = procmon.ParseWait(e.Wait) == procmon.Exit{Code: 3}
			}
			if e.Kind == procmon.EventFinal {
				final = e.Used.CPU > 0 && e.Used.MaxRSS > 0 && start.Start <= e.Proc.Start+20 && e.Proc.Start <= start.Start+20
			}
		}
		return exit && final
	})
	l.until(t, "marks of every reader beyond now", func(events []procmon.Event) bool {
		marks := map[int]bool{}
		for _, e := range events {
			if e.Kind == procmon.EventMark && e.Time > l.source.clock.Now()-2e9 {
				marks[e.Reader] = true
			}
		}
		return len(marks) == l.source.Readers()
	})
}

func TestIntegrationSourceReadsBeforeRun(t *testing.T) {
	l := listenForReal(t, 64<<20)
	cmd := exec.Command("sh", "-c", "exec sleep 0.3", "before")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	l.run(t)
	l.until(t, "both images, each with its own arguments", func(events []procmon.Event) bool {
		var seen []string
		for _, e := range events {
			if e.Kind == procmon.EventExec && e.Process.Run.Process.PID == int32(cmd.Process.Pid) {
				seen = append(seen, strings.Join(e.Process.Argv(), " "))
			}
		}
		return len(seen) == 2 && seen[1] == "sleep 0.3"
	})
}

// TestIntegrationReaderSurvivesOverflow lets more happen than the socket holds
// before its reader begins.
func TestIntegrationReaderSurvivesOverflow(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may listen to the process connector")
	}
	cfg := Config{Proc: "/proc", Env: procfs.NewEnvFilter(), MaxArgs: 4096, BufferBytes: 8 << 10, RingBytes: 8 << 20, Logger: slog.New(slog.DiscardHandler)}
	r, err := newReader(place{-1, cpuRange{0, maxCPU}}, &cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.unsubscribe()
	for range 300 {
		if err := exec.Command("true").Run(); err != nil {
			t.Fatal(err)
		}
	}
	begin(t, r)
	marker := exec.Command("true", "after")
	for range 100 { // until the reader has caught up; each is an event
		if err := exec.Command("true").Run(); err != nil {
			t.Fatal(err)
		}
		if shared64(&r.c.overrun).Load() > 0 && r.idle() {
			break
		}
	}
	if err := marker.Run(); err != nil {
		t.Fatal(err)
	}
	for found := false; !found; {
		rec := await(t, r)
		found = rec.message.PID == int32(marker.Process.Pid) && rec.message.What != whatFork
	}
	if tally := r.tally(time.Now()); tally.overrun == 0 || tally.drops < 10 {
		t.Errorf("%d overflows, %d messages dropped", tally.overrun, tally.drops)
	}
}

// begin starts a reader's loop; it ends with the test.
func begin(t *testing.T, r *reader) {
	t.Helper()
	bell, err := newDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	stop, err := unix.Eventfd(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.start(bell, stop, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		one := [8]byte{1}
		if _, err := unix.Write(stop, one[:]); err != nil {
			t.Fatal(err)
		}
		for !r.ended() {
			time.Sleep(time.Millisecond) // its end is told by no event
		}
		if err := errors.Join(r.free(), bell.close(), unix.Close(stop)); err != nil {
			t.Error(err)
		}
	})
}

// await takes the reader's next record.
func await(t *testing.T, r *reader) record {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if b := r.ring.next(); b != nil {
			rec, err := decodeRecord(bytes.Clone(b))
			if err != nil {
				t.Fatal(err)
			}
			r.ring.release(len(b))
			return rec
		}
		time.Sleep(time.Millisecond) // the ring has no bell without a pump
	}
	t.Fatal("no record")
	return record{}
}

func TestIntegrationSourceDropsForeignMessages(t *testing.T) {
	l := listenForReal(t, 64<<20)
	l.run(t)
	conn, err := netlink.Dial(unix.NETLINK_CONNECTOR, nil)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := detach(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	const forged = 4194303
	for cpu := range uint32(2) {
		if err := unix.Sendto(fd, raw(whatExec, cpu, 1, forged, forged), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
			t.Skip("this kernel lets nobody else send to the group: ", err)
		}
	}
	l.until(t, "the loss that counts it", func(events []procmon.Event) bool {
		for _, e := range events {
			if e.Kind == procmon.EventExec && e.Process.Run.Process.PID == forged {
				t.Fatal("a forged execve was believed")
			}
			if e.Kind == procmon.EventLost && e.Loss.Reason == procmon.LossForeign {
				return e.Loss.Count > 0
			}
		}
		return false
	})
}

// TestIntegrationCountersAgreeWithWait compares what a process is told to have
// used with what its parent is told by wait4. Taskstats reads a thread before it
// has wholly ended: what the end itself costs is not in it.
func TestIntegrationCountersAgreeWithWait(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	l := listenForReal(t, 64<<20)
	l.run(t)
	const burn = "import threading, time, os, ctypes\n" +
		"def burn(s):\n" +
		"    end = time.thread_time() + s\n" +
		"    while time.thread_time() < end: pass\n" +
		"def threads(n, s):\n" +
		"    ts = [threading.Thread(target=burn, args=(s,), daemon=True) for _ in range(n)]\n" +
		"    for t in ts: t.start()\n" +
		"    return ts\n"
	for _, test := range []struct{ name, script string }{
		{"one thread", "burn(0.2)"},
		{"eight threads", "for t in threads(8, 0.05): t.join()"},
		{"exit_group", "threads(8, 9); burn(0.05); os._exit(0)"},
		{"leader first", "threads(2, 0.1); ctypes.CDLL(None).syscall(60, 0) if os.uname().machine == 'x86_64' else burn(0.1)"},
		{"forked pool", "for _ in range(4):\n    if os.fork() == 0:\n        burn(0.05); os._exit(0)\nfor _ in range(4): os.wait()"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := exec.Command(python, "-c", burn+test.script)
			if err := cmd.Run(); err != nil {
				t.Log("ended with ", err) // a process whose leader went first may be told so
			}
			told := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			var used time.Duration
			l.until(t, "counters", func(events []procmon.Event) bool {
				used = 0
				family := map[int32]bool{int32(cmd.Process.Pid): true}
				done := false
				for _, e := range events {
					if e.Kind == procmon.EventFork && family[e.Parent.PID] {
						family[e.Proc.PID] = true
					}
				}
				for _, e := range events {
					if e.Kind == procmon.EventFinal && family[e.Proc.PID] {
						used += e.Used.CPU
						done = done || e.Proc.PID == int32(cmd.Process.Pid)
					}
				}
				return done
			})
			t.Logf("taskstats %.1f ms, wait4 %.1f ms: %+.2f %%", used.Seconds()*1e3, told.Seconds()*1e3, 100*(used.Seconds()/told.Seconds()-1))
			if off := told - used; off < -10*time.Millisecond || off > told/10+20*time.Millisecond {
				t.Errorf("CPU %v, wait4 says %v", used, told)
			}
		})
	}
}

// TestIntegrationSourceReplacesAReaderThatHangs pretends that a read hangs; the
// kernel makes real ones hang only with the help of a user's filesystem.
func TestIntegrationSourceReplacesAReaderThatHangs(t *testing.T) {
	l := listenForReal(t, 64<<20)
	for i, hung := range l.source.readers {
		for l.source.readers[i] == hung { // again: an event ends the pretended read
			shared64(&hung.c.reading).Store(1)
			if err := l.source.replaceStuck(); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.run(t)
	cmd := exec.Command("true", "after")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	l.until(t, "a program, by the new reader", func(events []procmon.Event) bool {
		n := 0
		for _, e := range events {
			if e.Kind == procmon.EventExec && e.Process.Run.Process.PID == int32(cmd.Process.Pid) {
				n++
			}
		}
		if n > 1 {
			t.Fatal("seen twice")
		}
		return n == 1
	})
}
