package appmap

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
