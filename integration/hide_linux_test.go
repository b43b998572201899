package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestIntegrationHide starts programs in the ways in which a user could try not
// to be seen, in a job's cgroup. Each run must be recorded, with the pid that
// the host knows, what can be known of its executable, and its job.
func TestIntegrationHide(t *testing.T) {
	f := setUp(t)
	needs(t, "setpriv", "unshare")
	eachSource(t, f, func(t *testing.T, s source) {
		h := &hider{
			f: f, d: startDaemon(t, f, s.args(t, f)...), source: s, probes: listenForProbes(t),
			job: newFakeJob(t, f, f.alice, "7654321"), tool: f.tool(t, "hide"),
		}
		for _, c := range h.cases(t) {
			t.Run(c.name, func(t *testing.T) { h.start(t, &c) })
		}
		h.d.flush()
		lines := readLines(t, h.d.lines)
		for _, c := range h.tried {
			h.check(t, lines, c)
		}
	})
}

// hider starts and checks the cases of one source.
type hider struct {
	f      *fixture
	d      *daemon
	source source
	probes *probes
	job    *fakeJob
	tool   string // hide.c
	tried  []*hidden
}

// argumentsRewritten is the case whose arguments may be those that the process
// wrote, where they are read after it has begun.
const argumentsRewritten = "arguments rewritten"

// hidden is one way to start a program.
type hidden struct {
	name  string
	argv  []string
	below string   // cgroup below the job's
	args  []string // of the run
	exe   string   // of the run; "*": anything; "…/x": any path that ends so
	cwd   string   // empty: the user's home; "*": anything
	root  bool     // runs with root's effective user id

	deleted bool     // its file had no name any more
	total   int      // bytes of arguments, where they are more than a line holds
	beyond  []string // parts beyond any limit, which may be told as missing
	before  []string // arguments of the runs of the same process before this one, joined by spaces
	tag     string
	pid     int // as the host knows it
}

// start runs a case until its process has told that it runs, and ended.
func (h *hider) start(t *testing.T, c *hidden) {
	t.Helper()
	cmd := h.job.command(t, c.below, c.argv...)
	cmd.Env = append([]string{"PROBE=" + h.probes.name + " " + c.tag}, cmd.Env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		if slices.Contains(c.argv, "unshare") {
			t.Skipf("no namespaces for users here: %v: %s", err, out)
		}
		t.Fatalf("%q: %v\n%s", c.argv, err, out)
	}
	c.pid = h.probes.pid(t, c.tag)
	h.tried = append(h.tried, c)
}

// check looks for a case's runs in both stores.
func (h *hider) check(t *testing.T, lines []line, c *hidden) {
	t.Helper()
	ours := pick(lines, "procmon.run", func(l *line) bool { return l.starts() && l.Process.PID == c.pid })
	wants := []string{strings.Join(c.args, " ")}
	for _, args := range append(c.before, wants...) {
		last := args == wants[0]
		i := slices.IndexFunc(ours, func(l line) bool {
			said := strings.Join(l.Process.Args, " ")
			return said == args || c.total > 0 && strings.HasPrefix(said, args)
		})
		if i < 0 && !h.source.exact() { // it was read too late, or not at all
			if i = slices.IndexFunc(ours, func(l line) bool { return len(l.HPC.Missing) > 0 || c.name == argumentsRewritten }); i < 0 {
				h.countLost(t, lines, c, args)
				continue
			}
			t.Logf("%s: %q is recorded as %q of %q, missing %q", c.name, cut(args), ours[i].Process.Args, ours[i].Process.Executable, ours[i].HPC.Missing)
			h.inJob(t, c, &ours[i])
			ours = slices.Delete(ours, i, i+1)
			continue
		}
		if i < 0 {
			t.Errorf("%s: process %d is not recorded as %q: %s", c.name, c.pid, cut(args), brief(ours))
			continue
		}
		h.inJob(t, c, &ours[i])
		if last {
			h.whole(t, c, &ours[i])
		}
		ours = slices.Delete(ours, i, i+1)
	}
}

// countLost accepts that a run is missing when the daemon has counted a loss.
func (h *hider) countLost(t *testing.T, lines []line, c *hidden, args string) {
	t.Helper()
	*h.d.missing++
	if lost := notSeen(lines); *h.d.missing > lost {
		t.Errorf("%s: %q is not recorded, and %d runs are missing while %d are counted as lost", c.name, cut(args), *h.d.missing, lost)
		return
	}
	t.Logf("%s: %q is among the runs that are counted as lost", c.name, cut(args))
}

// inJob checks whose run it is, in the line and in the index.
func (h *hider) inJob(t *testing.T, c *hidden, l *line) {
	t.Helper()
	j := l.HPC.Job
	if l.User.ID != fmt.Sprint(h.f.alice.uid) || j.RawID != h.job.raw || j.Step != "0" || j.Evidence != "cgroup" {
		t.Errorf("%s: user %s, job %q step %q by %q; want %d, %q step 0 by cgroup", c.name, l.User.ID, j.RawID, j.Step, j.Evidence,
			h.f.alice.uid, h.job.raw)
	}
	n := h.d.count("SELECT count(*) FROM runs WHERE pid = ? AND raw_job_id = ? AND step_id = '0' AND uid = ? AND ifnull(executable, '') = ?",
		l.Process.PID, h.job.raw, h.f.alice.uid, l.Process.Executable)
	if n == 0 {
		t.Errorf("%s: the index has no such run of process %d", c.name, l.Process.PID)
	}
}

// whole checks that nothing is missing of a run.
func (h *hider) whole(t *testing.T, c *hidden, l *line) {
	t.Helper()
	p := &l.Process
	suffix, any := strings.CutPrefix(c.exe, "…")
	if c.exe != "*" && p.Executable != c.exe && !(any && strings.HasSuffix(p.Executable, suffix)) {
		t.Errorf("%s: executable %q, want %q", c.name, p.Executable, c.exe)
	}
	cwd := c.cwd
	if cwd == "" {
		cwd = h.f.alice.home
	}
	if cwd != "*" && p.WorkingDirectory != cwd {
		t.Errorf("%s: working directory %q, want %q", c.name, p.WorkingDirectory, cwd)
	}
	euid := fmt.Sprint(h.f.alice.uid)
	if c.root {
		euid = "0"
	}
	if l.User.Effective.ID != euid {
		t.Errorf("%s: effective user %s, want %s", c.name, l.User.Effective.ID, euid)
	}
	if c.deleted != l.HPC.Deleted {
		t.Errorf("%s: told as deleted: %v, want %v", c.name, l.HPC.Deleted, c.deleted)
	}
	if c.total == 0 && !slices.Equal(p.Args, c.args) {
		t.Errorf("%s: arguments %q, want %q", c.name, p.Args, c.args)
	}
	kept := len(strings.Join(p.Args, " "))
	partly := !h.source.exact() && slices.Contains(l.HPC.Missing, "args")
	if more := p.ArgsTruncated + kept - c.total; c.total > 0 && !partly && (p.ArgsCount != longCount || more < 0 || more > 1) { // the last NUL counts or not
		t.Errorf("%s: %d arguments, %d bytes kept and %d cut of them; want %d arguments, %d bytes", c.name, p.ArgsCount, kept, p.ArgsTruncated, longCount, c.total)
	}
	if p.Parent.PID == 0 {
		t.Errorf("%s: no parent", c.name)
	}
	if len(l.HPC.Missing) == 0 {
		return
	}
	t.Logf("%s: missing %q", c.name, l.HPC.Missing)
	if h.source.exact() && slices.ContainsFunc(l.HPC.Missing, func(m string) bool { return !slices.Contains(c.beyond, m) }) {
		t.Errorf("%s: missing %q", c.name, l.HPC.Missing)
	}
}

func brief(lines []line) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "\n%s %q missing %q", cut(l.Process.Executable), cut(strings.Join(l.Process.Args, " ")), l.HPC.Missing)
	}
	return b.String()
}

// probes hears from the programs that were started. The kernel tells their
// pids, in the pid namespace of the one who listens.
type probes struct {
	name string
	mu   sync.Mutex
	pids map[string]int
}

func listenForProbes(t *testing.T) *probes {
	t.Helper()
	p := &probes{name: newTag(), pids: map[string]int{}}
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: "@" + p.name, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			p.hear(c)
		}
	}()
	return p
}

func (p *probes) hear(c *net.UnixConn) {
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	tag := make([]byte, 128)
	n, _ := c.Read(tag)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pids[string(tag[:n])] = pid
}

// pid gives the host's pid of the program that told a tag.
func (p *probes) pid(t *testing.T, tag string) (pid int) {
	t.Helper()
	eventually(t, 10*time.Second, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if pid = p.pids[tag]; pid == 0 {
			return fmt.Errorf("the program with the tag %s has not told that it runs", tag)
		}
		return nil
	})
	return pid
}

// own copies the tool to a path of the user's own.
func (h *hider) own(t *testing.T, path string) string {
	t.Helper()
	path = filepath.Join(h.f.alice.home, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, h.tool, path)
	for at := path; at != h.f.alice.home; at = filepath.Dir(at) {
		if err := os.Chown(at, int(h.f.alice.uid), int(h.f.alice.gid)); err != nil {
			t.Fatal(err)
		}
	}
	top, _, _ := strings.Cut(strings.TrimPrefix(path, h.f.alice.home+"/"), "/")
	t.Cleanup(func() { os.RemoveAll(filepath.Join(h.f.alice.home, top)) })
	return path
}
