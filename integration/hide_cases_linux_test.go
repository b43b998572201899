package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// cases lists the ways. Each gets a tag, which is the last argument of its run.
func (h *hider) cases(t *testing.T) []hidden {
	t.Helper()
	all := slices.Concat(h.files(t), h.arguments(t), h.namespaces(t), h.processes(t))
	for i := range all {
		all[i].tag = newTag()
		for _, args := range [][]string{all[i].argv, all[i].args} {
			for j := range args {
				args[j] = strings.ReplaceAll(args[j], "TAG", all[i].tag)
			}
		}
		for j := range all[i].before {
			all[i].before[j] = strings.ReplaceAll(all[i].before[j], "TAG", all[i].tag)
		}
	}
	return all
}

// by is a case in which the tool starts itself in one of its modes.
func (h *hider) by(name, mode string) hidden {
	return hidden{name: name, argv: []string{h.tool, mode, h.tool, "probe", "TAG"}, args: []string{h.tool, "probe", "TAG"}, exe: h.tool}
}

// files are the cases that hide which file is run.
func (h *hider) files(t *testing.T) []hidden {
	t.Helper()
	deleted := h.own(t, "deleted")
	first, second := filepath.Join(h.f.alice.home, "script"), filepath.Join(h.f.alice.home, "second")
	h.f.alice.write(t, "script", "#!"+h.tool+" probe\n")
	h.f.alice.write(t, "second", "#!"+first+" of\n")
	setuid := h.own(t, "setuid")
	if err := os.Chown(setuid, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(setuid, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	// More than 64 directories and more than 3,000 bytes.
	long := h.own(t, strings.Repeat("long-name-of-a-directory-that-has-many-above-it/", 70)+"program")
	unlinked := h.own(t, "unlinked")
	cases := []hidden{
		{name: "plain", argv: []string{h.tool, "probe", "TAG"}, args: []string{h.tool, "probe", "TAG"}, exe: h.tool},
		{name: "executable deleted at once", argv: []string{unlinked, "unlink", "TAG"}, args: []string{unlinked, "unlink", "TAG"}, exe: unlinked},
		{name: "executable deleted before", argv: []string{h.tool, "deleted", deleted, "probe", "TAG"}, args: []string{deleted, "probe", "TAG"}, exe: deleted, deleted: true},
		{name: "script", argv: []string{first, "TAG"}, args: []string{h.tool, "probe", first, "TAG"}, exe: h.tool},
		{name: "script of a script", argv: []string{second, "TAG"}, args: []string{h.tool, "probe", first, "of", second, "TAG"}, exe: h.tool},
		{name: "set-user-id", argv: []string{setuid, "probe", "TAG"}, args: []string{setuid, "probe", "TAG"}, exe: setuid, root: true},
		{name: "long and deep path", argv: []string{long, "probe", "TAG"}, args: []string{long, "probe", "TAG"}, exe: long},
		{name: "path beyond PATH_MAX", argv: []string{h.tool, "deep", h.own(t, "deep"), "probe", "TAG"}, args: []string{h.f.alice.home + "/deep", "probe", "TAG"}, exe: "*", cwd: "*", beyond: []string{"exe", "cwd"}},
		h.by("exec of /proc/self/fd", "fd"), h.by("fexecve", "fexec"),
	}
	t.Cleanup(func() { os.RemoveAll(h.f.alice.home + "/" + strings.Repeat("d", 200)) })
	memory := h.by("memfd", "memfd")
	memory.exe, memory.deleted = "/memfd:libc.so.6", true
	cases = append(cases, memory)
	dynamic := h.f.dynamicTool(t, "hide")
	for _, pattern := range []string{"/lib64/ld-linux-*.so.*", "/lib/ld-linux-*.so.*"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			ld, err := filepath.EvalSymlinks(found[0])
			if err != nil {
				t.Fatal(err)
			}
			argv := []string{found[0], dynamic, "probe", "TAG"}
			cases = append(cases, hidden{name: "ld.so", argv: argv, args: slices.Clone(argv), exe: ld})
			break
		}
	}
	return cases
}

// longCount is how many arguments the tool's mode "arguments" gives.
const longCount = 3 + 12

// arguments are the cases with odd arguments, environment or cgroup.
func (h *hider) arguments(t *testing.T) []hidden {
	t.Helper()
	rewritten := h.own(t, "rewritten")
	below := strings.Repeat("/deeper-than-the-one-above", 45)
	h.job.make(t, h.job.step+below)
	nested := h.by("cgroup far below the job's", "fexec")
	nested.below = below
	empty := h.by("no arguments", "bare")
	empty.args = []string{""}
	long := h.by("1.5 MiB of arguments", "arguments")
	long.total = len(h.tool) + len(" probe ") + len(newTag()) + 12*(128<<10)
	environment := h.by("300 KiB of environment", "environment")
	environment.beyond = []string{"env"}
	return []hidden{
		{name: argumentsRewritten, argv: []string{rewritten, "rewrite", "TAG"}, args: []string{rewritten, "rewrite", "TAG"}, exe: rewritten},
		empty, long, nested, environment,
	}
}

// namespaces are the cases in which the program sees another world.
func (h *hider) namespaces(t *testing.T) []hidden {
	t.Helper()
	root := filepath.Dir(h.own(t, "root/program"))
	tool := []string{h.tool, "probe", "TAG"}
	inside := []string{"/program", "probe", "TAG"}
	in := func(name string, argv ...string) hidden {
		return hidden{name: name, argv: append(argv, tool...), args: slices.Clone(tool), exe: h.tool}
	}
	return []hidden{
		in("user namespace", "unshare", "-Ur"),
		in("user namespace in a user namespace", "unshare", "-Ur", "unshare", "-Ur"),
		in("container", "unshare", "-Ur", "--pid", "--mount", "--fork", "--mount-proc"),
		in("container in a container", "unshare", "-Ur", "--pid", "--mount", "--fork", "--mount-proc", "unshare", "--pid", "--fork", "--kill-child"),
		{name: "chroot", argv: append([]string{"unshare", "-Ur", "chroot", root}, inside...), args: slices.Clone(inside), exe: "…/program", cwd: "*"},
		{
			name: "root of its own", argv: append([]string{"unshare", "-Ur", "--mount", "sh", "-c", `mount --bind "$0" /mnt && exec chroot /mnt "$@"`, root}, inside...),
			args: slices.Clone(inside), exe: "…/program", cwd: "*",
		},
	}
}

// processes are the cases that play with processes and threads.
func (h *hider) processes(t *testing.T) []hidden {
	t.Helper()
	chain := h.by("five execs in a row", "chain")
	chain.argv = slices.Insert(chain.argv, 2, "3")
	for _, n := range []string{"3", "2", "1", "0"} {
		chain.before = append(chain.before, strings.Join([]string{h.tool, "chain", n, h.tool, "probe", "TAG"}, " "))
	}
	return []hidden{
		h.by("vfork", "vfork"), h.by("posix_spawn", "spawn"), h.by("child of its grandparent", "sibling"),
		h.by("exec of a thread", "thread"), chain,
	}
}
