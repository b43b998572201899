package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIntegrationBadStart starts the daemon where it can't work. It must end at
// once, say what is wrong and name the thing, and use the documented status.
func TestIntegrationBadStart(t *testing.T) {
	f := setUp(t)
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, d *daemon)
		says   []string
		codes  []int
	}{
		{"unknown key", func(t *testing.T, d *daemon) {
			d.config(t, "start_after = \"5s\"\n[index]\npth = \"/tmp/x\"\n")
		}, []string{"procmond.toml", "3", "pth"}, []int{2}},
		{"unknown table", func(t *testing.T, d *daemon) { d.config(t, "[indx]\npath = \"/tmp/x\"\n") },
			[]string{"procmond.toml", "indx"}, []int{2}},
		{"wrong type", func(t *testing.T, d *daemon) { d.config(t, "start_after = [1]\n") },
			[]string{"procmond.toml", "start_after"}, []int{2}},
		{"bad value", func(t *testing.T, d *daemon) { d.config(t, "start_after = \"soon\"\n") },
			[]string{"start_after", "soon"}, []int{2}},
		{"not TOML", func(t *testing.T, d *daemon) { d.config(t, "what is this\n") },
			[]string{"procmond.toml"}, []int{2}},
		{"unknown flag", func(_ *testing.T, d *daemon) { d.args = append(d.args, "--no-such-flag") },
			[]string{"no-such-flag"}, []int{2}},
		{"configuration missing", func(t *testing.T, d *daemon) {
			if err := os.Remove(d.dir + "/procmond.toml"); err != nil {
				t.Fatal(err)
			}
		}, []string{"procmond.toml"}, []int{2}},
		{"index in a read-only file system", func(t *testing.T, d *daemon) {
			d.index = mount(t, d, "ro") + "/procmon.db"
		}, []string{"procmon.db", "read-only"}, []int{1, 3}},
		{"index is a directory", func(t *testing.T, d *daemon) {
			if err := os.Mkdir(d.index, 0o755); err != nil {
				t.Fatal(err)
			}
		}, []string{"procmon.db"}, []int{1, 3}},
		{"index is something else", func(t *testing.T, d *daemon) {
			if err := os.WriteFile(d.index, []byte(strings.Repeat("no database ", 1000)), 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"procmon.db"}, []int{1, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDaemon(t, f)
			c.damage(t, d)
			code := d.fails(t)
			if !contains(strs(c.codes), fmt.Sprint(code)) {
				t.Errorf("exit status %d, want one of %d", code, c.codes)
			}
			for _, text := range c.says {
				if !strings.Contains(strings.ToLower(d.log.String()), strings.ToLower(text)) {
					t.Errorf("the message does not say %q: %s", text, d.log)
				}
			}
			if strings.Contains(d.log.String(), "goroutine ") {
				t.Errorf("a stack trace is not a message: %s", d.log)
			}
		})
	}
}

func strs(numbers []int) []string {
	return strings.Fields(strings.Trim(fmt.Sprint(numbers), "[]"))
}

func (d *daemon) config(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(d.dir+"/procmond.toml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// fails runs the daemon until it ends, which it must do soon and badly.
func (d *daemon) fails(t *testing.T) int {
	t.Helper()
	cmd := d.command()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	if !late.Stop() {
		t.Fatalf("procmond runs on:\n%s", d.log)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("procmond ended with %v, want a failure\n%s", err, d.log)
	}
	return exit.ExitCode()
}

// mount makes a small file system in memory for the time of the test.
func mount(t *testing.T, d *daemon, options string) string {
	t.Helper()
	dir := d.dir + "/small"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=755,"+options, "procmon-test", dir).CombinedOutput(); err != nil {
		t.Skipf("can't mount a tmpfs here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if d.running() {
			d.stop()
		}
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", dir, err, out)
		}
	})
	return dir
}

// TestIntegrationFullDisk fills the disk below one store while programs run.
// The other store gets all of them; the full one gets them when there is room
// again, or counts what it has lost.
func TestIntegrationFullDisk(t *testing.T) {
	f := setUp(t)
	for _, store := range []string{"index", "lines"} {
		t.Run(store, func(t *testing.T) {
			d := newDaemon(t, f)
			dir := mount(t, d, "size=8m")
			if store == "index" {
				d.index = dir + "/procmon.db"
			} else {
				d.lines = dir + "/runs.jsonl"
			}
			d.start()
			tag := newTag()
			output(t, as(t, f.alice, "/bin/true", tag+"-before"))
			d.flush()
			fill(t, dir)
			count := fillUp(t, d, tag)
			if store == "index" {
				eventually(t, 30*time.Second, func() error { return d.complete(tag, count) })
			} else {
				eventually(t, 30*time.Second, func() error { return d.indexed(tag, count) })
			}
			if err := os.Remove(dir + "/filler"); err != nil {
				t.Fatal(err)
			}
			output(t, as(t, f.alice, "/bin/true", tag+"-after"))
			eventually(t, 90*time.Second, func() error { return d.caughtUp(tag, count) })
			if n := len(d.rows(tag + "-before")); n != 1 {
				t.Errorf("what was recorded before the disk was full is there %d times", n)
			}
			readLines(t, d.lines) // each of them whole
		})
	}
}

// fillUp starts programs until the daemon says that the disk is full: SQLite
// has some room of its own left. It gives their number.
func fillUp(t *testing.T, d *daemon, tag string) (count int) {
	t.Helper()
	const batch = 200
	full := func() error {
		if !strings.Contains(strings.ToLower(d.log.String()), "no space left") {
			return fmt.Errorf("after %d programs the daemon does not say that the disk is full: %s", count, d.log)
		}
		return nil
	}
	for ; count == 0 || count < 20*batch && full() != nil; count += batch {
		many(t, d.f, tag, count, batch)
		d.flushSome()
	}
	eventually(t, 20*time.Second, full)
	return count
}

// flushSome asks for a flush that may fail, as one does on a full disk.
func (d *daemon) flushSome() {
	ctx, cancel := context.WithTimeout(d.t.Context(), 3*time.Second)
	defer cancel()
	_ = exec.CommandContext(ctx, d.f.program("procmond"), "flush", "--control-socket", d.control).Run()
}

// indexed says what is missing from the index: runs or losses.
func (d *daemon) indexed(tag string, count int) error {
	inIndex := d.count("SELECT count(*) FROM runs WHERE command_line LIKE '% " + tag + "-n%'")
	lost := d.count("SELECT ifnull(sum(count),0) FROM losses WHERE source IN ('index', 'procconn')")
	if inIndex+lost < count {
		return fmt.Errorf("%d of %d runs in the index, %d counted as lost", inIndex, count, lost)
	}
	return nil
}

// caughtUp says what is missing from both stores: runs or losses.
func (d *daemon) caughtUp(tag string, count int) error {
	if err := d.indexed(tag, count); err != nil {
		return err
	}
	if len(d.rows(tag+"-after")) != 1 {
		return errors.New("the run after there was room again is not in the index")
	}
	text, err := os.ReadFile(d.lines)
	if err != nil || len(text) == 0 || text[len(text)-1] != '\n' {
		return fmt.Errorf("the lines are not complete yet: %w", err)
	}
	lines := readLines(d.t, d.lines)
	if err := d.complete(tag, count); err != nil {
		return err
	}
	if len(withArg(lines, tag+"-after")) != 1 {
		return errors.New("the run after there was room again has no line")
	}
	return nil
}

// complete says what is missing from the JSON lines: runs or losses.
func (d *daemon) complete(tag string, count int) error {
	lines := readLines(d.t, d.lines)
	lost := notSeen(lines)
	for _, l := range pick(lines, "procmon.loss", func(l *line) bool { return l.HPC.Loss.Where == "syslog" }) {
		lost += l.HPC.Loss.Count
	}
	if n := len(withTag(lines, tag+"-n")); n+lost < count {
		return fmt.Errorf("%d of %d lines, %d counted as lost", n, count, lost)
	}
	return nil
}

// many starts programs, each with an argument of its own.
func many(t *testing.T, f *fixture, tag string, from, count int) {
	t.Helper()
	output(t, as(t, f.alice, "sh", "-c", `i=$1; while [ $i -lt $2 ]; do /bin/true "$3-n$i"; i=$((i + 1)); done`,
		"sh", fmt.Sprint(from), fmt.Sprint(from+count), tag))
}

// fill takes all the room that is left.
func fill(t *testing.T, dir string) {
	t.Helper()
	file, err := os.Create(dir + "/filler")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
