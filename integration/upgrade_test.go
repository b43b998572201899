package integration

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIntegrationUpgrade ends the daemon twice while a long program runs, once
// for another version of procmond and once by a kill. What starts and ends
// meanwhile is recorded by a source that is exact, and lies within a gap else;
// the long run keeps its id, and its usage is whole.
func TestIntegrationUpgrade(t *testing.T) {
	f := setUp(t)
	const version = "9.9.9-test"
	other := f.otherVersion(t, version)
	eachSource(t, f, func(t *testing.T, s source) {
		l := newLedger(t, f, s)
		l.d.args = append(l.d.args, "--start-after", "500ms")
		l.d.start()
		long := startLong(t, l)
		id := long.id(t)

		l.d.stop()
		long.step(t)
		l.load(t, 4, 5000, 0).end(t)
		l.d.program = other
		l.d.start()
		long.step(t)
		if got := l.version(t); got != version {
			t.Errorf("procmond %q runs, want %q", got, version)
		}
		l.killed = true
		l.d.signal(syscall.SIGKILL)
		long.step(t)
		l.d.start()
		long.stdin.Close()
		u := &usages{f: f, d: l.d, source: s, tags: []string{long.tag}}
		long.end(t)
		u.awaitEnds(t)
		l.ran[long.tag] = span{long.from, time.Now()}
		l.balance(t)
		used := u.usage(t, long.tag)
		low := long.total() - time.Duration(long.says["start"])
		if !s.exact() { // children that were forked or ended while nobody looked
			low /= 2
		}
		u.between(t, "CPU", 1, used.cpu(), low, long.total())
		if got := long.id(t); got != id {
			t.Errorf("the long run became %s from %s", got, id)
		}
	})
}

// otherVersion builds another procmond.
func (f *fixture) otherVersion(t *testing.T, version string) string {
	t.Helper()
	path := f.program("procmond-other")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X main.version="+version, "-o", path, "./cmd/procmond")
	cmd.Dir = f.tree
	output(t, cmd)
	return path
}

// version is that of the daemon that was started last.
func (l *ledger) version(t *testing.T) string {
	t.Helper()
	l.d.flush()
	found := pick(readLines(t, l.d.lines), "procmon.status", func(*line) bool { return true })
	if len(found) == 0 {
		t.Fatal("no status line")
	}
	return found[len(found)-1].HPC.Status.Version
}

// long is a program that goes on when it is told to. Its usage is that of it
// and of a forked child at each step.
type long struct {
	*burnt
	l     *ledger
	from  time.Time
	stdin io.WriteCloser
	said  *bufio.Reader
}

// startLong returns after its first step.
func startLong(t *testing.T, l *ledger) *long {
	t.Helper()
	b := &long{burnt: newBurnt(), l: l, from: time.Now()}
	b.tag = l.tag + "-long"
	b.cmd = as(t, l.user, l.f.tool(t, "burn"), "steps", "100", "60", b.tag)
	stdin, err := b.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, out := io.Pipe()
	b.stdin, b.said = stdin, bufio.NewReader(io.TeeReader(said, b.out))
	b.cmd.Stdout, b.cmd.Stderr = out, out
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait(t)
	return b
}

// wait returns when it has done another step.
func (b *long) wait(t *testing.T) {
	t.Helper()
	for {
		said, err := b.said.ReadString('\n')
		if err != nil {
			t.Fatalf("the long program: %v", err)
		}
		if strings.HasPrefix(said, "step ") {
			return
		}
	}
}

// step lets it go on for one more step.
func (b *long) step(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(b.stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	b.wait(t)
}

// id gives the run's id once it has a line; all its lines have the same.
func (b *long) id(t *testing.T) (id string) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		b.l.d.flush()
		lines := withArg(readLines(t, b.l.d.lines), b.tag)
		if len(lines) == 0 {
			return fmt.Errorf("no line of %s", b.tag)
		}
		for _, one := range lines {
			if id = one.Process.EntityID; id != lines[0].Process.EntityID {
				t.Errorf("%s has the ids %s and %s", b.tag, lines[0].Process.EntityID, id)
			}
		}
		if starts := len(pick(lines, "procmon.run", (*line).starts)); starts != 1 {
			t.Errorf("%d start lines of %s", starts, b.tag)
		}
		return nil
	})
	return id
}
