package integration

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ledger compares the programs that were started with what a daemon recorded
// and what it counted as lost.
type ledger struct {
	f      *fixture
	d      *daemon
	source source
	user   account // of no name, and of a user id above all others
	tag    string
	forks  int             // of the machine, before
	ran    map[string]span // by last argument: what was started
	killed bool            // the daemon was: what it had read and not yet written may lack something
}

// span is from when to when something was.
type span struct{ from, to time.Time }

func (s span) overlaps(o span) bool { return !s.to.Before(o.from) && !o.to.Before(s.from) }

// newLedger prepares a daemon that records one user only: what else the machine
// does must not count as lost.
func newLedger(t *testing.T, f *fixture, s source) *ledger {
	t.Helper()
	uid := uint32(2_000_000_000 + os.Getpid())
	args := append(s.args(t, f), "--min-uid", fmt.Sprint(uid), "--start-after", "1m")
	return &ledger{
		f: f, d: newDaemon(t, f, args...), source: s, tag: newTag(), forks: forks(t), ran: map[string]span{},
		user: account{uid: uid, gid: uid, home: f.dir},
	}
}

// load is a storm of programs that is going on.
type load struct {
	l     *ledger
	cmd   *exec.Cmd
	from  time.Time
	stdin io.Closer
	out   bytes.Buffer
	pace  time.Duration
	many  int
}

// load starts programs, size of them or until end is called, each spawner one
// in pace.
func (l *ledger) load(t *testing.T, spawners, size int, pace time.Duration) *load {
	t.Helper()
	brief := l.f.tool(t, "brief", "-nostdlib", "-static")
	s := &load{l: l, from: time.Now(), pace: pace, many: spawners}
	s.cmd = as(t, l.user, l.f.tool(t, "storm"), strconv.Itoa(spawners), strconv.Itoa(size), strconv.FormatInt(pace.Microseconds(), 10), brief, l.tag)
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stdin, s.cmd.Stdout, s.cmd.Stderr = stdin, &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// began is about how many programs were started so far.
func (s *load) began() int { return s.many * int(time.Since(s.from)/s.pace) }

// end ends the storm and enters what it started.
func (s *load) end(t *testing.T) {
	t.Helper()
	s.stdin.Close()
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("storm: %v\n%s", err, cut(s.out.String()))
	}
	s.l.ran[s.l.tag] = span{s.from, time.Now()}
	for said := range strings.Lines(s.out.String()) {
		var n, from, to int64
		if _, err := fmt.Sscan(said, &n, &from, &to); err != nil {
			t.Fatalf("storm said %q", said)
		}
		s.l.ran[fmt.Sprintf("%s-n%d", s.l.tag, n)] = span{time.Unix(0, from), time.Unix(0, to)}
	}
}

// seen returns when the storm's programs arrive in the lines.
func (l *ledger) seen(t *testing.T) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		text, err := os.ReadFile(l.d.lines)
		if err != nil || !bytes.Contains(text, []byte(l.tag+"-n")) {
			return fmt.Errorf("no line of a program of the storm: %w", err)
		}
		return nil
	})
}

// balance checks the books of both stores. A source that is exact has counted
// each run that it does not have. Of the other's, what is missing lies within
// the times of a loss, or is recorded without its arguments.
func (l *ledger) balance(t *testing.T) {
	t.Helper()
	lines, index := l.inLines(t), l.inIndex(t)
	for _, b := range []*storeBooks{lines, index} {
		t.Logf("%s: %d started; %s: %s", l.source, len(l.ran), b.name, b)
		if len(b.twice) > 0 {
			t.Errorf("%s: recorded twice: %d, such as %s", b.name, len(b.twice), b.twice[0])
		}
		for arg := range b.runs {
			if _, ok := l.ran[arg]; !ok {
				t.Errorf("%s: %s is recorded and was not started", b.name, arg)
			}
		}
		counted, open := b.count()
		recorded := len(b.runs) + len(b.partly)
		if recorded+counted < len(l.ran) && !open {
			t.Errorf("%s: %d of %d runs are neither recorded nor counted as lost", b.name, len(l.ran)-recorded-counted, len(l.ran))
		}
		if l.source.exact() {
			l.exactly(t, b, counted-len(missingFrom(b.others, lines.others, index.others)), open)
		}
		l.bounded(t, b)
	}
}

// exactly checks the books of a source that is exact. lost leaves out the other
// users' runs that this store has lost.
func (l *ledger) exactly(t *testing.T, b *storeBooks, lost int, open bool) {
	t.Helper()
	if open {
		t.Errorf("%s: a loss has no number", b.name)
	}
	if more := len(b.runs) + len(b.partly) + lost - len(l.ran); more > 0 {
		// What is lost in the kernel is lost before anybody looks whose it is.
		if noise := forks(t) - l.forks - len(l.ran); more > noise {
			t.Errorf("%s: %d runs more are recorded or counted as lost than the %d that were started", b.name, more, len(l.ran))
		} else {
			t.Logf("%s: %d more are lost than were started: the machine was not quiet, it made %d other processes", b.name, more, noise)
		}
	}
	if n := len(b.partly) + b.missing; n > 0 && !l.killed {
		t.Errorf("%s: %d runs are recorded without something", b.name, n)
	}
	if len(b.unknown) > b.unpriced {
		t.Errorf("%s: %d runs have no usage, which is counted as lost for %d; such as %q", b.name, len(b.unknown), b.unpriced, b.unknown[0])
	}
}

// forks is how many processes the machine has made since it was started.
func forks(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nprocesses ")
	number, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// missingFrom lists what the other sets have and one has not.
func missingFrom(one map[string]bool, others ...map[string]bool) (missing []string) {
	for _, o := range others {
		for k := range o {
			if !one[k] {
				missing = append(missing, k)
			}
		}
	}
	return missing
}

// bounded checks that the times of a loss tell where each missing run is.
func (l *ledger) bounded(t *testing.T, b *storeBooks) {
	t.Helper()
	const slack = 20 * time.Millisecond // between the clocks, and between a fork and its execve
	const late = time.Second            // a sink loses records, which are made a little after their runs
	spans := slices.Clone(b.partly)
	for _, x := range b.losses {
		if x.where != string(l.source) {
			x.from = x.from.Add(-late)
		}
		spans = append(spans, x.span)
	}
	var outside []string
	for arg, ran := range l.ran {
		ran.from, ran.to = ran.from.Add(-slack), ran.to.Add(slack)
		if b.runs[arg] == 0 && !slices.ContainsFunc(spans, ran.overlaps) {
			outside = append(outside, arg)
		}
	}
	if len(outside) == 0 {
		return
	}
	slices.SortFunc(outside, func(x, y string) int { return l.ran[x].from.Compare(l.ran[y].from) })
	slices.SortFunc(b.losses, func(x, y lost) int { return x.from.Compare(y.from) })
	first, last := l.ran[outside[0]], l.ran[outside[len(outside)-1]]
	t.Errorf("%s: %d missing runs, from %v to %v, lie in no gap that is told; the gaps:", b.name, len(outside), first.from, last.to)
	for _, x := range b.losses[:min(len(b.losses), 20)] {
		t.Logf("  %v to %v: %d %s (%s)", x.from, x.to, x.count, x.reason, x.where)
	}
}
