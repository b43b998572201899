package jobmap

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// shells that a site's /bin/sh can be.
func shells(t testing.TB) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	for name, argv := range map[string][]string{
		"dash": {"dash"}, "bash": {"bash"}, "posix-bash": {"bash", "--posix"}, "busybox": {"busybox", "sh"},
	} {
		if path, err := exec.LookPath(argv[0]); err == nil {
			found[name] = append([]string{path}, argv[1:]...)
		}
	}
	if len(found) == 0 {
		t.Skip("no shell in PATH")
	}
	return found
}

// hook is prolog.sh or epilog.sh, ready to run as slurmd runs it.
func hook(shell []string, kind, dir string, env ...string) *exec.Cmd {
	argv := append(shell[1:len(shell):len(shell)], filepath.Join("..", "contrib", "slurm", kind+".sh"))
	cmd := exec.Command(shell[0], argv...)
	cmd.Env = append([]string{"PROCMON_JOBS_DIR=" + dir}, env...)
	return cmd
}

// runHook holds a hook to its promise: exit 0 and not a word.
func runHook(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v: %v, output %q; want success and none", cmd.Args, err, out)
	}
}

func eachShell(t *testing.T, test func(t *testing.T, shell []string)) {
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) { test(t, shell) })
	}
}

// changing is what differs from run to run.
var changing = regexp.MustCompile(`(UPTIME|BOOT)=[0-9a-f.-]+`)

func readEnv(t testing.TB, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// TestHooks runs the hooks in environments that slurmd of 22.05 and 26.05 gave
// to prologs and epilogs.
func TestHooks(t *testing.T) {
	envs, err := filepath.Glob("testdata/hooks/*.env")
	if err != nil || len(envs) == 0 {
		t.Fatalf("no environments: %v", err)
	}
	eachShell(t, func(t *testing.T, shell []string) {
		for _, path := range envs {
			name := strings.TrimSuffix(filepath.Base(path), ".env")
			t.Run(name, func(t *testing.T) {
				kind, _, _ := strings.Cut(name, ".")
				dir := filepath.Join(t.TempDir(), "made", "by", "it")
				runHook(t, hook(shell, kind, dir, readEnv(t, path)...))
				got := written(t, dir)
				golden := strings.TrimSuffix(path, ".env") + ".golden"
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(string(want), got); d != "" {
					t.Errorf("file (-want +got):\n%s", d)
				}
			})
		}
	})
}

// written is all that lies in a jobs directory.
func written(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(e.Name() + " " + info.Mode().String() + "\n" + changing.ReplaceAllString(string(data), "$1=…"))
	}
	return text.String()
}

// TestHooksToRegistry goes the whole way of one job: a prolog and an epilog,
// as Slurm calls them, and what the registry makes of them.
func TestHooksToRegistry(t *testing.T) {
	eachShell(t, func(t *testing.T, shell []string) {
		s := newSite(t)
		s.proc = "/proc"
		s.now = s.Registry.now
		env := readEnv(t, "testdata/hooks/prolog.7.m2.env")
		runHook(t, hook(shell, "prolog", s.dir, append(env, "SLURM_JOB_CPUS_PER_NODE=2(x3),4", "SLURM_JOB_NODELIST=m[1,3-5]", "SLURM_JOB_GPUS=0,1")...))
		if f := s.find("slurm", "7", ""); f == nil || f.user != "alice" || f.sluid != "sE7DM8148RYY01" || f.hetJob != "6" || f.ended() {
			t.Fatalf("facts %+v", f)
		}
		s.refreshed()
		runHook(t, hook(shell, "epilog", s.dir, readEnv(t, "testdata/hooks/epilog.7.m2.env")...))
		s.refreshed()
		s.wantEnded("7.0")
	})
}

// TestHooksKeepLinesWhole gives the hooks what no scheduler gives.
func TestHooksKeepLinesWhole(t *testing.T) {
	long := strings.Repeat("a", 5000)
	eachShell(t, func(t *testing.T, shell []string) {
		dir := t.TempDir()
		runHook(t, hook(shell, "prolog", dir, "SLURM_JOB_ID=5", "SLURM_JOB_UID=1001\ndone\tRESTART=0\t.", "SLURM_JOB_USER=\t.\nend\tID=5\t.\n", "SLURM_JOB_ACCOUNT="+long,
			"SLURM_JOB_PARTITION=$(touch "+dir+"/pwned) `id` *", "SLURM_CLUSTER_NAME=\x1b[31m", "SLURMD_NODENAME=\xff\xfe", "SLURM_JOB_CPUS_PER_NODE=1,2", "SLURM_JOB_NODELIST="+long,
			"IFS=abc", "ENV=/nonexistent", "BASH_ENV=/nonexistent", "PATH=", "SLURM_JOB_NAME=%s%n\\n"))
		data, err := os.ReadFile(filepath.Join(dir, "slurm-5"))
		if err != nil {
			t.Fatal(err)
		}
		blocks := parseBlocks(data)
		if len(blocks) != 1 {
			t.Fatalf("%d blocks, want 1: %q", len(blocks), data)
		}
		for _, key := range []string{"UPTIME", "BOOT"} {
			if blocks[0].values[key] == "" {
				t.Errorf("no %s in %q", key, data)
			}
			delete(blocks[0].values, key)
		}
		want := map[string]string{
			"SCHEDULER": "slurm", "ID": "5", "RESTART": "0", "CPUS_PER_NODE": "1,2",
			"PARTITION": "$(touch " + dir + "/pwned) `id` *", "NAME": "%s%n\\n",
		}
		if d := cmp.Diff(want, blocks[0].values); d != "" {
			t.Errorf("values (-want +got):\n%s", d)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%d files, want 1", len(entries))
		}
	})
}

func TestHooksUnderFaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	occupied := t.TempDir()
	if err := os.Mkdir(filepath.Join(occupied, "slurm-5"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, dir string
		env       []string
		redirect  string
	}{
		{name: "directory is a file", dir: file, env: []string{"SLURM_JOB_ID=5"}},
		{name: "below a file", dir: file + "/jobs", env: []string{"SLURM_JOB_ID=5"}},
		{name: "file is a directory", dir: occupied, env: []string{"SLURM_JOB_ID=5"}},
		{name: "cannot be made", dir: "/proc/procmon/jobs", env: []string{"SLURM_JOB_ID=5"}},
		{name: "no id", dir: t.TempDir()},
		{name: "id is a path", dir: t.TempDir(), env: []string{"SLURM_JOB_ID=../../x"}},
		{name: "id is an option", dir: t.TempDir(), env: []string{"SLURM_JOB_ID=-5"}},
		{name: "everything closed", dir: t.TempDir(), env: []string{"SLURM_JOB_ID=5"}, redirect: "<&- >&- 2>&-"},
		{name: "full output", dir: t.TempDir(), env: []string{"SLURM_JOB_ID=5"}, redirect: ">/dev/full 2>&1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachShell(t, func(t *testing.T, shell []string) {
				for _, kind := range []string{"prolog", "epilog"} {
					cmd := hook(shell, kind, tt.dir, tt.env...)
					if tt.redirect != "" {
						cmd.Args = append([]string{"sh", "-c", `"$@" ` + tt.redirect, "sh"}, append([]string{shell[0]}, cmd.Args[1:]...)...)
						cmd.Path = "/bin/sh"
					}
					runHook(t, cmd)
				}
			})
		})
	}
}

// TestHooksAreOne holds the two scripts to the same code: what differs is the
// word that they write.
func TestHooksAreOne(t *testing.T) {
	body := func(kind string) string {
		data, err := os.ReadFile(filepath.Join("..", "contrib", "slurm", kind+".sh"))
		if err != nil {
			t.Fatal(err)
		}
		_, code, ok := strings.Cut(string(data), "\n\n")
		if !ok {
			t.Fatal("no code behind the comment")
		}
		return code
	}
	if d := cmp.Diff(strings.Replace(body("prolog"), "procmon_note begin <", "procmon_note end <", 1), body("epilog")); d != "" {
		t.Errorf("prolog.sh and epilog.sh differ (-prolog +epilog):\n%s", d)
	}
}

func BenchmarkProlog(b *testing.B) {
	env := readEnv(b, "testdata/hooks/prolog.7.m2.env")
	for name, shell := range shells(b) {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			for b.Loop() {
				if err := hook(shell, "prolog", dir, env...).Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
