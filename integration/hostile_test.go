package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestIntegrationHostileInput starts what users can make that is odd or meant
// ill. Each must give a clear record, and nothing else may be lost by it: a
// plain program before and after each is recorded too.
func TestIntegrationHostileInput(t *testing.T) {
	f := setUp(t)
	h := &hostile{f: f, d: startDaemon(t, f)}
	for _, c := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"arguments of 2 MB", h.longArguments},
		{"invalid UTF-8", h.invalidUTF8},
		{"newlines and escapes", h.escapes},
		{"odd comm", h.oddComm},
		{"deleted executable", h.deleted},
		{"cgroup path with spaces", h.cgroup},
		{"no arguments at all", h.noArguments},
		{"vanishing processes", h.vanishing},
	} {
		t.Run(c.name, func(t *testing.T) {
			tag := newTag()
			output(t, as(t, f.alice, "/bin/true", tag+"-before"))
			c.run(t)
			output(t, as(t, f.alice, "/bin/true", tag+"-after"))
			lines := h.lines(t)
			d := *h.d
			d.t = t
			d.expect(lines, "", want{arg: tag + "-before", user: f.alice}, want{arg: tag + "-after", user: f.alice})
		})
	}
}

type hostile struct {
	f *fixture
	d *daemon
}

// lines flushes and reads; every line is checked to be whole, valid and within
// the limit by readLines and here.
func (h *hostile) lines(t *testing.T) []line {
	t.Helper()
	d := *h.d
	d.t = t
	d.flush()
	lines := readLines(t, h.d.lines)
	for _, l := range lines {
		if l.size > 60_000 {
			t.Errorf("a line of %d bytes", l.size)
		}
	}
	return lines
}

// one gives the line of the one run that has an argument, at its end.
func (h *hostile) one(t *testing.T, arg string) line {
	t.Helper()
	found := slices.DeleteFunc(withArg(h.lines(t), arg), func(l line) bool { return !l.ends() })
	if len(found) != 1 {
		t.Fatalf("%d lines of %s, want 1", len(found), arg)
	}
	return found[0]
}

// longArguments: with a larger stack limit the kernel takes up to 6 MB of
// arguments, 128 KiB each. A shell that waits is read whole; true(1) may end
// while it is read, which its record must then say.
func (h *hostile) longArguments(t *testing.T) {
	needs(t, "/usr/bin/python3")
	tag := newTag()
	const count, size = 17, 128 << 10
	start := func(tag string, argv ...string) *exec.Cmd {
		words := `"` + strings.Join(argv, `", "`) + `"`
		return as(t, h.f.alice, "/usr/bin/python3", "-c", `
import os, resource, sys
resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
argv = [`+words+`, sys.argv[1]] + ["x" * (`+fmt.Sprint(size)+` - 1)] * `+fmt.Sprint(count)+`
os.execv("/bin/" + argv[0], argv)`, tag)
	}
	waits := start(tag+"-waits", "sh", "-c", "read line")
	stdin, err := waits.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := waits.Start(); err != nil {
		t.Fatal(err)
	}
	aliveWith(t, waits.Process.Pid, "sh\x00-c\x00read line\x00")
	h.lines(t) // once it is flushed, it has been read
	stdin.Close()
	_ = waits.Wait() // read fails at the end of its input
	h.longLine(t, tag+"-waits", "sh", count+4, len("sh -c read line ")+len(tag+"-waits")+1+count*size)

	output(t, start(tag+"-ends", "true"))
	h.longLine(t, tag+"-ends", "true", count+2, len("true ")+len(tag+"-ends")+1+count*size)
}

// aliveWith waits until a process's arguments begin with text.
func aliveWith(t *testing.T, pid int, text string) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && !strings.HasPrefix(string(args), text) {
			err = fmt.Errorf("process %d has not become %q yet", pid, text)
		}
		return err
	})
}

// longLine checks the line of a program with total bytes of arguments: their
// number and what was cut are told, or that they could not be read whole.
func (h *hostile) longLine(t *testing.T, arg, program string, count, total int) {
	t.Helper()
	lines := slices.DeleteFunc(withArg(h.lines(t), arg), func(l line) bool { return !l.ends() || l.Process.Args[0] != program })
	if len(lines) != 1 {
		t.Fatalf("%d lines of a 2 MB command line, want 1", len(lines))
	}
	p, kept := lines[0].Process, 0
	for _, a := range p.Args {
		kept += len(a)
	}
	whole := p.ArgsCount == count && p.ArgsTruncated >= total-kept-len(p.Args) && p.ArgsTruncated <= total-kept
	if !whole && (program == "sh" || !slices.Contains(lines[0].HPC.Missing, "args")) {
		t.Errorf("%s: args_count %d, want %d; %d bytes told as cut of %d, %d kept; missing %q",
			program, p.ArgsCount, count, p.ArgsTruncated, total, kept, lines[0].HPC.Missing)
	}
}

func (h *hostile) invalidUTF8(t *testing.T) {
	tag := newTag()
	output(t, as(t, h.f.alice, "/bin/true", "a\xff\xfe\xc3", "ok-ü", tag))
	want := []string{"/bin/true", "a\ufffd\ufffd\ufffd", "ok-ü", tag}
	if diff := cmp.Diff(want, h.one(t, tag).Process.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

func (h *hostile) escapes(t *testing.T) {
	tag := newTag()
	evil := []string{"/bin/true", "one\ntwo\r\n", "\x1b[31mred\x1b[0m\x1b]0;title\a", `{"event":{"id":"forged"}}`, "a\u2028b", "\x7f\x01", tag}
	output(t, as(t, h.f.alice, evil...))
	if diff := cmp.Diff(evil, h.one(t, tag).Process.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	report := exec.CommandContext(t.Context(), h.f.program("procmon-report"), "--index", h.d.index, "--by-executable", "--all")
	if out := output(t, report); strings.ContainsAny(out, "\x1b\a\x01") {
		t.Errorf("a report holds control characters: %q", out)
	}
}

func (h *hostile) oddComm(t *testing.T) {
	for _, name := range []string{"\")\n", ") R 1 1 1", "\x1b[2J", " "} {
		tag := newTag()
		program := filepath.Join(h.f.tempDir(t), name)
		copyFile(t, h.f.trueProgram, program)
		output(t, as(t, h.f.alice, program, tag))
		p := h.one(t, tag).Process
		if p.Name != name || p.Executable != program {
			t.Errorf("name %q, executable %q; want %q, %q", p.Name, p.Executable, name, program)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

// deleted runs a file that has no name any more.
func (h *hostile) deleted(t *testing.T) {
	tag := newTag()
	program := filepath.Join(h.f.alice.home, tag+"-gone")
	copyFile(t, h.f.trueProgram, program)
	if err := os.Chown(program, int(h.f.alice.uid), int(h.f.alice.gid)); err != nil {
		t.Fatal(err)
	}
	output(t, as(t, h.f.alice, "sh", "-c", `exec 3< "$1"; rm "$1"; /proc/self/fd/3 "$2"; exit $?`, "sh", program, tag))
	found := slices.DeleteFunc(withArg(h.lines(t), tag), func(l line) bool { return len(l.Process.Args) > 2 })
	if len(found) != 1 || found[0].Process.Executable != program || !found[0].HPC.Deleted {
		t.Errorf("want one run of %s, marked as deleted: %+v", program, found)
	}
}

// cgroup puts a program into cgroups whose names are odd or look like those of
// a job. None of them is one.
func (h *hostile) cgroup(t *testing.T) {
	root := "/sys/fs/cgroup/freezer"
	if _, err := os.Stat(root); err != nil {
		root = "/sys/fs/cgroup"
	}
	for _, name := range []string{"pm test  dir", "pm:0::/slurm/uid_0", "pm/slurm/uid_%d/job_7/step_0", "pm\nnewline"} {
		tag := newTag()
		name = strings.ReplaceAll(name, "%d", fmt.Sprint(h.f.alice.uid))
		name = strings.Replace(name, "pm", tag, 1)
		dir := filepath.Join(root, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			if strings.Contains(name, "\n") {
				continue // the kernel refuses newlines in names of cgroups
			}
			t.Skipf("can't make a cgroup here: %v", err)
		}
		t.Cleanup(func() { // the innermost first
			for at := dir; at != root; at = filepath.Dir(at) {
				syscall.Rmdir(at)
			}
		})
		script := `echo $$ > "$1/cgroup.procs" || exit 1; exec setpriv --reuid "$2" --regid "$3" --clear-groups /bin/true "$4"`
		output(t, exec.CommandContext(t.Context(), "sh", "-c", script, "sh", dir, fmt.Sprint(h.f.alice.uid), fmt.Sprint(h.f.alice.gid), tag))
		l := h.one(t, tag)
		if l.HPC.Job.RawID != "" || len(l.HPC.Missing) > 0 {
			t.Errorf("cgroup %q: job %+v, missing %q; want no job, nothing missing", name, l.HPC.Job, l.HPC.Missing)
		}
	}
}

// noArguments: an empty argument list becomes one empty argument since Linux
// 5.18; a run with it must still be recorded.
func (h *hostile) noArguments(t *testing.T) {
	program := filepath.Join(h.f.tempDir(t), "bare")
	copyFile(t, h.f.trueProgram, program)
	cmd := as(t, h.f.alice, program)
	cmd.Args = []string{""}
	output(t, cmd)
	found := pick(h.lines(t), "procmon.run", func(l *line) bool { return l.Process.Executable == program })
	if len(found) != 1 {
		t.Errorf("%d lines of a program without arguments, want 1", len(found))
	}
}

// vanishing starts many programs that end at once. Each is recorded once or
// counted as lost.
func (h *hostile) vanishing(t *testing.T) {
	const count = 2000
	tag := newTag()
	before := notSeen(h.lines(t))
	output(t, as(t, h.f.alice, "sh", "-c", `i=0
while [ $i -lt 250 ]; do
	for j in 1 2 3 4 5 6 7 8; do /bin/true "$1-$i-$j" & done
	wait
	i=$((i + 1))
done`, "sh", tag))
	lines := h.lines(t)
	seen := map[string]int{}
	for _, l := range withTag(lines, tag+"-") {
		if l.starts() {
			seen[l.Process.Args[len(l.Process.Args)-1]]++
		}
	}
	for arg, n := range seen {
		if n != 1 {
			t.Errorf("%s was recorded %d times", arg, n)
		}
	}
	lost := notSeen(lines) - before
	t.Logf("%d of %d recorded with their arguments, %d counted as lost", len(seen), count, lost)
	if len(seen)+lost < count && len(seen)+lost+withoutArgs(lines) < count {
		t.Errorf("%d recorded and %d lost of %d", len(seen), lost, count)
	}
}

// withoutArgs counts the runs that are recorded as incomplete.
func withoutArgs(lines []line) int {
	return len(pick(lines, "procmon.run", func(l *line) bool { return slices.Contains(l.HPC.Missing, "args") }))
}
