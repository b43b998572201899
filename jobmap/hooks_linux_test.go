package jobmap

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// mounted is a small tmpfs of its own.
func mounted(t *testing.T, options string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a tmpfs")
	}
	dir := t.TempDir()
	if err := unix.Mount("procmon-test", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("can't mount a tmpfs here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("umount %s: %v", dir, err)
		}
	})
	return dir
}

// fill leaves no byte free.
func fill(t *testing.T, path string) {
	t.Helper()
	h, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for size := 4096; size > 0; {
		if _, err := h.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

func TestIntegrationHooksOnFullFilesystem(t *testing.T) {
	dir := mounted(t, "size=64k,mode=0755")
	s := newSite(t)
	s.open(dir, s.proc)
	shell := shells(t)["dash"]
	if shell == nil {
		shell = shells(t)["bash"]
	}
	runHook(t, hook(shell, "prolog", dir, "SLURM_JOB_ID=5", "SLURM_JOB_USER=alice", "SLURM_JOB_UID=1001"))
	fill(t, filepath.Join(dir, "ballast"))
	eachShell(t, func(t *testing.T, shell []string) {
		runHook(t, hook(shell, "prolog", dir, "SLURM_JOB_ID=6"))
		runHook(t, hook(shell, "epilog", dir, "SLURM_JOB_ID=6"))
	})
	if f := s.find("slurm", "6", ""); f != nil && f.id != "6" {
		t.Errorf("facts %+v of a job for which there was no room", f)
	}
	// The page that the prolog began has room for the epilog's line.
	runHook(t, hook(shell, "epilog", dir, "SLURM_JOB_ID=5", "SLURM_JOB_USER=alice", "SLURM_JOB_UID=1001"))
	s.refreshed()
	if got := s.endedIDs(); got != "5.0" {
		t.Fatalf("ended %q, want 5.0", got)
	}
	ended, _ := s.Ended(t.Context())
	if err := s.Done(ended[0].Job.Key()); err != nil {
		t.Errorf("Done on a full file system: %v", err)
	}
	s.open(dir, s.proc)
	s.refreshed()
	s.wantEnded("")
}

func TestIntegrationHooksOnReadOnlyFilesystem(t *testing.T) {
	dir := mounted(t, "size=64k,mode=0755")
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skipf("can't remount: %v", err)
	}
	eachShell(t, func(t *testing.T, shell []string) {
		for _, kind := range []string{"prolog", "epilog"} {
			runHook(t, hook(shell, kind, dir, "SLURM_JOB_ID=5"))
			runHook(t, hook(shell, kind, filepath.Join(dir, "jobs"), "SLURM_JOB_ID=5"))
		}
	})
}

// TestIntegrationHooksStartNoProgram counts what a hook starts, and how often
// it writes to the job's file.
func TestIntegrationHooksStartNoProgram(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	eachShell(t, func(t *testing.T, shell []string) {
		dir := t.TempDir()
		trace := filepath.Join(t.TempDir(), "trace")
		cmd := hook(shell, "epilog", dir, readEnv(t, "testdata/hooks/epilog.7.m2.env")...)
		cmd.Args = append([]string{"strace", "-f", "-o", trace, "-e", "trace=execve,clone,clone3,fork,vfork,write", shell[0]}, cmd.Args[1:]...)
		cmd.Path = strace
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("strace does not work here: %v %s", err, out)
		}
		data, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		count := func(call string) int { return strings.Count(string(data), " "+call+"(") }
		got := []int{count("execve"), count("clone") + count("clone3") + count("fork") + count("vfork"), strings.Count(string(data), `SCHEDULER=slurm`)}
		for i, want := range []int{1, 0, 1} {
			if got[i] != want {
				t.Errorf("%s of execve, fork, write to the file: %d, want %d\n%s", strconv.Itoa(i), got[i], want, data)
			}
		}
	})
}
