package appmap

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"procmon"
)

// both runs a test over each way of opening files.
func both(t *testing.T, root string, test func(t *testing.T, f *files)) {
	t.Helper()
	kernel, err := openFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*files{"system": kernel, "os.Root": {root: root, beneath: rootFiles{r}}} {
		t.Run(name, func(t *testing.T) {
			test(t, f)
			if err := f.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFilesReadOnlyWhatIsPlainAndInside(t *testing.T) {
	root := rootOf(t, map[string]string{
		"secret":            "secret",
		"tree/plain":        "hello",
		"tree/sub/x":        "x",
		"tree/big":          strings.Repeat("x", 100),
		"other/spec":        "other",
		"outside-of-secret": "",
	})
	links := map[string]string{
		"tree/inside":   "sub/x",
		"tree/escape":   "../secret",
		"tree/absolute": "/secret",
		"tree/proc":     "/proc/self/environ",
		"tree/subdir":   "../other",
		"tree/loop":     "loop",
		"dirlink":       "tree",
	}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	mkfifo(t, filepath.Join(root, "tree/fifo"))
	both(t, root, func(t *testing.T, f *files) {
		for name, want := range map[string]string{"plain": "hello", "inside": "x", "sub/x": "x"} {
			if got, err := f.read("/tree", name, 50); err != nil || string(got) != want {
				t.Errorf("read %s: %q, %v", name, got, err)
			}
		}
		for _, name := range []string{"escape", "absolute", "proc", "subdir/spec", "loop", "fifo", "big", "sub", "none", "../secret", "/secret", ""} {
			if got, err := f.read("/tree", name, 50); err == nil {
				t.Errorf("read %s gives %q", name, got)
			}
		}
		if got, err := f.read("/dirlink", "plain", 50); err != nil || string(got) != "hello" {
			t.Errorf("a linked directory above the tree: %q, %v", got, err)
		}
		for _, dir := range []string{"/tree/../tree", "tree", "/tree/", "/a\x00b", ""} {
			if _, err := f.read(dir, "plain", 50); !errors.Is(err, errNotPlain) {
				t.Errorf("read in %q: %v", dir, err)
			}
		}
		if n := len(f.list("/tree", 3)); n != 3 {
			t.Errorf("list gives %d names, want 3", n)
		}
	})
}

// TestAbsoluteLinksStayInTheRoot: the kernel resolves them there.
func TestAbsoluteLinksStayInTheRoot(t *testing.T) {
	root := rootOf(t, map[string]string{"real/plain": "hello"})
	if err := os.Symlink("/real", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	f, err := openFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	got, err := f.read("/link", "plain", 50)
	if _, fallback := f.beneath.(rootFiles); fallback {
		t.Skip("no openat2 here: os.Root refuses absolute links")
	}
	if err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestHostileTrees: metadata that is not what it claims to be names nothing,
// and costs no time worth mentioning.
func TestHostileTrees(t *testing.T) {
	const env = "/home/u/env"
	root := rootOf(t, map[string]string{
		"etc/shadow":                     `{"name":"secret","version":"1","files":["bin/tool"]}`,
		env + "/conda-meta/tool-1.json":  "not JSON, but it has \"bin/tool\"",
		env + "/conda-meta/deep-1.json":  strings.Repeat("[", 1<<20) + `"bin/tool"`,
		env + "/conda-meta/odd-1.json":   `{"name":"a/../b\n","version":"1","files":["bin/tool"]}`,
		env + "/conda-meta/types-1.json": `{"name":1,"files":"bin/tool"}`,
		"home/u/sp/.spack/spec.json":     `{"spec":{"nodes":"bin/tool"}}`,
	})
	huge := filepath.Join(root, env, "conda-meta/huge-1.json")
	if err := os.WriteFile(huge, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 10<<30); err != nil {
		t.Skip("no sparse files here:", err)
	}
	mkfifo(t, filepath.Join(root, env, "conda-meta/fifo-1.json"))
	if err := os.Symlink("../../../../etc/shadow", filepath.Join(root, env, "conda-meta/tool-2.json")); err != nil {
		t.Fatal(err)
	}
	m := newMapper(t, Config{Root: root})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, exe := range []string{env + "/bin/tool", "/home/u/sp/bin/tool"} {
		got := m.Identify(ctx, &procmon.Process{Exe: exe})
		if got.Name != "" || got.Kind != procmon.KindUnknown {
			t.Errorf("%s is %+v", exe, got)
		}
	}
	if ctx.Err() != nil {
		t.Error(ctx.Err())
	}
}
