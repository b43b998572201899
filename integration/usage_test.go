package integration

import (
	"bytes"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIntegrationUsage compares what runs are said to have used with what the
// kernel tells their parent (wait4), and with what they say themselves.
func TestIntegrationUsage(t *testing.T) {
	f := setUp(t)
	eachSource(t, f, func(t *testing.T, s source) {
		u := &usages{f: f, d: startDaemon(t, f, append(s.args(t, f), "--start-after", "1m")...), source: s, tool: f.tool(t, "burn")}
		zombie := u.start(t, "cpu", "100")
		cases := []struct {
			name  string
			check func(*testing.T, *burnt)
			args  []string
			b     *burnt
		}{
			{name: "one thread, 10 ms", check: u.simple, args: []string{"cpu", "10"}},
			{name: "one thread, 100 ms", check: u.simple, args: []string{"cpu", "100"}},
			{name: "one thread, 300 ms", check: u.simple, args: []string{"cpu", "300"}},
			{name: "8 threads and exit_group", check: u.simple, args: []string{"threads", "8", "200"}},
			{name: "leader exits first", check: u.simple, args: []string{"leader", "100"}},
			{name: "forked pool", check: u.simple, args: []string{"pool", "4", "50"}},
			{name: "forked child that outlives its parent", check: u.orphan, args: []string{"orphan", "150"}},
			{name: "two runs of one process", check: u.chain, args: []string{"chain", "200", "100"}},
			{name: "memory", check: u.memory, args: []string{"rss", "200"}},
			{name: "memory of an earlier image", check: u.earlierMemory, args: []string{"rsschain", "200"}},
			{name: "disk", check: u.disk, args: []string{"disk", f.alice.home + "/disk", fmt.Sprint(diskSize)}},
		}
		for i := range cases {
			cases[i].b = u.run(t, cases[i].args...)
		}
		u.awaitEnds(t)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { c.check(t, c.b) })
		}
		t.Run("not reaped", func(t *testing.T) { u.zombie(t, zombie) })
	})
}

// usages starts programs and compares their usage.
type usages struct {
	f      *fixture
	d      *daemon
	source source
	tool   string // burn.c
	lines  []line
	tags   []string // of all that were started
}

// burnt is a program that was started, and ended.
type burnt struct {
	tag  string
	cmd  *exec.Cmd
	out  *bytes.Buffer
	says map[string]int64 // what it printed
}

func newBurnt() *burnt {
	return &burnt{tag: newTag(), out: new(bytes.Buffer), says: map[string]int64{}}
}

// start starts burn with a tag behind its arguments.
func (u *usages) start(t *testing.T, args ...string) *burnt {
	t.Helper()
	b := newBurnt()
	u.tags = append(u.tags, b.tag)
	b.cmd = as(t, u.f.alice, append(append([]string{u.tool}, args...), b.tag)...)
	b.cmd.Stdout, b.cmd.Stderr = b.out, b.out
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return b
}

// end waits for it, and for every process that it forked.
func (b *burnt) end(t *testing.T) {
	t.Helper()
	if err := b.cmd.Wait(); err != nil {
		t.Fatalf("%q: %v\n%s", b.cmd.Args, err, b.out)
	}
	for said := range strings.Lines(b.out.String()) {
		var word string
		var value int64
		if _, err := fmt.Sscan(said, &word, &value); err != nil {
			t.Fatalf("%q said %q", b.cmd.Args, b.out)
		}
		word = strings.TrimSuffix(word, ":")
		if _, ok := b.says[word]; !ok { // a second image starts again
			b.says[word] = value
		}
	}
}

func (u *usages) run(t *testing.T, args ...string) *burnt {
	t.Helper()
	b := u.start(t, args...)
	b.end(t)
	return b
}

// total is its CPU time as wait4 tells it, that of its waited-for children
// included.
func (b *burnt) total() time.Duration {
	return b.cmd.ProcessState.UserTime() + b.cmd.ProcessState.SystemTime()
}

func (b *burnt) rusage() *syscall.Rusage { return b.cmd.ProcessState.SysUsage().(*syscall.Rusage) }

// usage gives what the run with an argument used, as line and index agree.
func (u *usages) usage(t *testing.T, arg string) usagePart {
	t.Helper()
	d := *u.d
	d.t = t
	lines := pick(u.lines, "procmon.run", func(l *line) bool {
		return l.ends() && len(l.Process.Args) > 0 && l.Process.Args[len(l.Process.Args)-1] == arg
	})
	if len(lines) != 1 {
		t.Fatalf("%d end lines of %s, want 1", len(lines), arg)
	}
	used := lines[0].HPC.Usage
	n := d.count(`SELECT count(*) FROM runs WHERE command_line LIKE '% ' || ? AND abs(cpu_seconds - ?) < 2e-6
		AND ifnull(max_rss_bytes, 0) = ? AND ifnull(read_bytes, 0) = ? AND ifnull(write_bytes, 0) = ?`,
		arg, used.cpu().Seconds(), used.MaxRSS, used.Read, used.Write)
	if n != 1 {
		t.Errorf("%d runs in the index have the argument %s and the usage %+v of the line, want 1", n, arg, used)
	}
	return used
}

func (u *usagePart) cpu() time.Duration { return time.Duration(u.User + u.System) }

// slack is by how much a CPU time may differ. The process connector does not
// count the work of the exit itself, and of a process's earlier image it knows
// only ticks of 10 ms.
func (s source) slack(cpu time.Duration, images int) time.Duration {
	switch {
	case s.exact():
		return cpu/100 + 200*time.Microsecond
	case images > 1:
		return cpu/50 + 10*time.Millisecond
	}
	return cpu/100 + 2*time.Millisecond
}

// between checks a CPU time against its bounds.
func (u *usages) between(t *testing.T, what string, images int, got, low, high time.Duration) {
	t.Helper()
	t.Logf("%s: %s says %v; the kernel %v to %v (%+.2f %%)", what, u.source, got, low, high, 100*float64(got-high)/float64(high))
	slack := u.source.slack(high, images)
	if got < low-slack || got > high+slack {
		t.Errorf("%s: %v of CPU time; want %v to %v, give or take %v", what, got, low, high, slack)
	}
}

// simple is a program whose CPU time wait4 tells. What it had used when main
// began is partly that of the fork before its execve.
func (u *usages) simple(t *testing.T, b *burnt) {
	used := u.usage(t, b.tag)
	u.between(t, "CPU", 1, used.cpu(), b.total()-time.Duration(b.says["start"]), b.total())
}

func (u *usages) orphan(t *testing.T, b *burnt) {
	used := u.usage(t, b.tag)
	child := time.Duration(b.says["child"])
	// Its exit is not in what the child says.
	u.between(t, "CPU", 1, used.cpu(), child+b.total()-time.Duration(b.says["start"]), child+b.total()+time.Millisecond)
}

// awaitEnds reads the lines once there is an end line of each.
func (u *usages) awaitEnds(t *testing.T) {
	t.Helper()
	d := *u.d
	d.t = t
	eventually(t, 40*time.Second, func() error {
		d.flush()
		u.lines = readLines(t, d.lines)
		for _, tag := range u.tags {
			if !slices.ContainsFunc(withArg(u.lines, tag), func(l line) bool { return l.ends() }) {
				return fmt.Errorf("no end line of %s", tag)
			}
		}
		return nil
	})
}

func (u *usages) chain(t *testing.T, b *burnt) {
	first, second := u.usage(t, b.tag), u.usage(t, b.tag+"-second")
	// What the execve itself costs is the first one's.
	share, exec := time.Duration(b.says["first"]), time.Millisecond
	u.between(t, "first", 2, first.cpu(), share-time.Duration(b.says["start"]), share+exec)
	u.between(t, "second", 2, second.cpu(), b.total()-share-exec, b.total()-share)
	sum := first.cpu() + second.cpu()
	u.between(t, "both", 1, sum, b.total()-time.Duration(b.says["start"]), b.total())
}

const mib = 1 << 20

func (u *usages) memory(t *testing.T, b *burnt) {
	got, want := u.usage(t, b.tag).MaxRSS, uint64(b.rusage().Maxrss)<<10
	t.Logf("%s says %d bytes, wait4 %d", u.source, got, want)
	if math.Abs(float64(got)-float64(want)) > 4*mib || got < 200*mib {
		t.Errorf("maximum RSS %d, want %d", got, want)
	}
}

// earlierMemory: what an earlier image needed must not be told as this one's,
// unless it is marked as a bound.
func (u *usages) earlierMemory(t *testing.T, b *burnt) {
	first, second := u.usage(t, b.tag), u.usage(t, b.tag+"-second")
	t.Logf("%s says %d bytes for the first, %d for the second (bound: %v)", u.source, first.MaxRSS, second.MaxRSS, second.RSSBound)
	if first.MaxRSS < 200*mib && (u.source.exact() || first.MaxRSS != 0) {
		t.Errorf("maximum RSS %d of an image that touched %d", first.MaxRSS, 200*mib)
	}
	if second.MaxRSS > 50*mib && !second.RSSBound || second.MaxRSS > 210*mib {
		t.Errorf("maximum RSS %d of an image that touched little, marked as a bound: %v", second.MaxRSS, second.RSSBound)
	}
}

// diskSize is in MiB.
const diskSize = 8

func (u *usages) disk(t *testing.T, b *burnt) {
	var st syscall.Statfs_t
	const tmpfs, overlay = 0x01021994, 0x794c7630
	if err := syscall.Statfs(u.f.alice.home, &st); err != nil || st.Type == tmpfs || st.Type == overlay {
		t.Skipf("%s lies on no disk: %v", u.f.alice.home, err)
	}
	used := u.usage(t, b.tag)
	t.Logf("%s says %d bytes read, %d written; /proc/self/io %d, %d", u.source, used.Read, used.Write, b.says["read_bytes"], b.says["write_bytes"])
	for _, c := range []struct {
		what string
		got  uint64
		want int64
	}{{"read", used.Read, b.says["read_bytes"]}, {"written", used.Write, b.says["write_bytes"]}} {
		if c.got < diskSize*mib || c.got > uint64(c.want) {
			t.Errorf("%d bytes %s, want %d to %d", c.got, c.what, diskSize*mib, c.want)
		}
	}
}

// zombie is a process that nobody has reaped yet: its run must be told all the
// same, once, with the usage that wait4 tells later.
func (u *usages) zombie(t *testing.T, b *burnt) {
	used := u.usage(t, b.tag)
	if used.Provisional != u.source.exact() { // taskstats tells at the exit what is final
		t.Errorf("marked as provisional: %v", used.Provisional)
	}
	b.end(t)
	u.between(t, "CPU", 1, used.cpu(), b.total()-time.Duration(b.says["start"]), b.total())
	u.awaitEnds(t)
	if again := u.usage(t, b.tag); again != used {
		t.Errorf("once it was reaped, its usage became %+v from %+v", again, used)
	}
}
