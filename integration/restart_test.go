package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIntegrationRestart ends the daemon in the middle of a job, starts it
// again, and accounts for every program: no run twice, and none lost but those
// that started and ended meanwhile, which a loss covers.
func TestIntegrationRestart(t *testing.T) {
	f := setUp(t)
	needs(t, "sbatch")
	for _, c := range []struct {
		name   string
		signal syscall.Signal
	}{{"stopped", syscall.SIGTERM}, {"killed", syscall.SIGKILL}} {
		t.Run(c.name, func(t *testing.T) { restart(t, f, c.signal) })
	}
}

// restartJob goes on when the test writes into its FIFOs. cat waits for its
// FIFO to be closed, the others for a line.
const restartJob = `#!/bin/sh
cd "$1" || exit 1
tag=$2
/bin/true $tag-before
cat - $tag-long < long &
cat - $tag-over < over &
over=$!
echo > begun
read line < first
wait $over
/bin/true $tag-meanwhile
cat - $tag-new < new &
echo > away
read line < second
/bin/true $tag-after
wait
exit 0
`

func restart(t *testing.T, f *fixture, signal syscall.Signal) {
	d := startDaemon(t, f, "--source", "procconn", "--start-after", "1s")
	s := startSlurm(t, f, 1, d.jobs)
	dir := f.tempDir(t)
	tag := newTag()
	fifos := map[string]*os.File{}
	for _, name := range []string{"long", "over", "new", "begun", "away", "first", "second"} {
		if err := syscall.Mkfifo(dir+"/"+name, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir+"/"+name, int(f.alice.uid), int(f.alice.gid)); err != nil {
			t.Fatal(err)
		}
		// For reading and writing, so that opening does not wait.
		fifo, err := os.OpenFile(dir+"/"+name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { fifo.Close() })
		fifos[name] = fifo
	}
	for _, name := range []string{"-long", "-over", "-new"} {
		f.empty(t, dir+"/"+tag+name) // cat's second argument is a file
	}
	script := f.alice.write(t, tag+".job", restartJob)
	id := s.submit(f.alice, "#!/bin/sh\nexec sh "+script+" "+dir+" "+tag+"\n")

	await(t, fifos["begun"])
	eventually(t, 20*time.Second, func() error {
		d.flush()
		lines := readLines(t, d.lines)
		for _, name := range []string{"-long", "-over"} {
			if len(withArg(lines, tag+name)) == 0 {
				return fmt.Errorf("no start line of %s", name)
			}
		}
		return nil
	})
	asked := time.Now()
	if signal == syscall.SIGTERM {
		d.stop()
	} else {
		d.signal(signal)
	}
	gone := time.Now()
	release(t, fifos["over"])
	poke(t, fifos["first"])
	await(t, fifos["away"])
	alive(t, tag+"-new")
	back := time.Now()
	d.start()
	ready := time.Now()
	poke(t, fifos["second"])
	release(t, fifos["long"])
	release(t, fifos["new"])
	s.wait(id)
	d.flush()

	lines := readLines(t, d.lines)
	cat := "*"
	d.expect(lines, s.cluster,
		want{arg: tag + "-before", user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-long", exe: cat, user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-over", exe: cat, user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-new", exe: cat, user: f.alice, raw: id, step: "batch"},
		want{arg: tag + "-after", user: f.alice, raw: id, step: "batch"},
	)
	if n := len(withArg(lines, tag+"-meanwhile")) + len(d.rows(tag+"-meanwhile")); n != 0 {
		t.Errorf("a program that ran while no daemon looked was recorded %d times", n)
	}
	for _, l := range withArg(lines, tag+"-over") {
		if l.ends() && l.Event.Outcome != "unknown" {
			t.Errorf("a run that ended while no daemon looked has the outcome %q, want unknown", l.Event.Outcome)
		}
	}
	for _, l := range withArg(lines, tag+"-new") {
		if !l.HPC.Adopted {
			t.Error("a run that began while no daemon looked is not told as adopted")
		}
	}
	covered(t, d, lines, [2]time.Time{asked, gone}, [2]time.Time{back, ready})
}

// covered looks for the loss that says when no daemon looked, in both stores: it
// begins while the daemon ends and ends while the daemon starts. A killed
// daemon's last sign of life is a little older than its end.
func covered(t *testing.T, d *daemon, lines []line, ends, starts [2]time.Time) {
	t.Helper()
	const slack = 15 * time.Second
	found := pick(lines, "procmon.loss", func(l *line) bool { return l.HPC.Loss.Reason == "not running" })
	if len(found) != 1 {
		t.Fatalf("%d losses with the reason \"not running\", want 1", len(found))
	}
	from, to := found[0].Event.Start, found[0].Event.End
	if from.Before(ends[0].Add(-slack)) || from.After(ends[1]) || to.Before(starts[0]) || to.After(starts[1]) {
		t.Errorf("the loss is from %v to %v; the daemon ended between %v and %v, and started between %v and %v",
			from, to, ends[0], ends[1], starts[0], starts[1])
	}
	n := d.count(`SELECT count(*) FROM losses WHERE reason = 'not running' AND abs("from" - ?) < 0.01 AND abs("to" - ?) < 0.01`,
		float64(from.UnixMicro())/1e6, float64(to.UnixMicro())/1e6)
	if n != 1 {
		t.Errorf("the index has the loss %d times", n)
	}
}

// alive waits until a process has the argument.
func alive(t *testing.T, arg string) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		files, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			return err
		}
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil && strings.HasSuffix(string(text), "\x00"+arg+"\x00") {
				return nil
			}
		}
		return fmt.Errorf("no process with the argument %s", arg)
	})
}

func (f *fixture) empty(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// await waits for a line in a FIFO.
func await(t *testing.T, fifo *os.File) {
	t.Helper()
	if err := fifo.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := fifo.Read(make([]byte, 64)); err != nil {
		t.Fatalf("%s: %v", fifo.Name(), err)
	}
}

// poke writes a line into a FIFO.
func poke(t *testing.T, fifo *os.File) {
	t.Helper()
	if _, err := fifo.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
}

// release gives a FIFO's reader the end of its file, once it has opened it.
func release(t *testing.T, fifo *os.File) {
	t.Helper()
	if err := fifo.Close(); err != nil {
		t.Fatal(err)
	}
}
