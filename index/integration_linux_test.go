package index

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"procmon"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// openDir is a directory that everybody may enter; t.TempDir is root's alone.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "procmon-index-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// asNobody runs one test of this binary as nobody, in a group or in none.
func asNobody(t *testing.T, group, test, path string) error {
	t.Helper()
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("needs setpriv(1)")
	}
	// The test binary lies where nobody may not go.
	binary := filepath.Join(openDir(t), "test")
	if b, err := os.ReadFile(os.Args[0]); err != nil || os.WriteFile(binary, b, 0o755) != nil {
		t.Fatal("the test binary cannot be copied", err)
	}
	args := []string{"--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"}
	if group != "" {
		args[2] = "--groups=" + group
	}
	cmd := exec.CommandContext(t.Context(), setpriv, append(args, binary, "-test.run=^"+test+"$", "-test.v")...)
	cmd.Env = append(os.Environ(), "INDEX_TEST_PATH="+path)
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.New(string(out))
	}
	if !strings.Contains(string(out), "--- PASS: "+test) {
		t.Fatalf("%s did not run:\n%s", test, out)
	}
	return nil
}

// TestReadAt is the part of the tests below that runs as nobody.
func TestReadAt(t *testing.T) {
	path := os.Getenv("INDEX_TEST_PATH")
	if path == "" {
		t.Skip("a part of other tests")
	}
	r, err := OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if rows := dump(t, r, "SELECT * FROM runs"); len(rows) != 1 {
		t.Errorf("%d runs", len(rows))
	}
	if _, err := r.Info(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWriteAt is the same for a writer.
func TestWriteAt(t *testing.T) {
	path := os.Getenv("INDEX_TEST_PATH")
	if path == "" {
		t.Skip("a part of other tests")
	}
	o := testOptions(t)
	o.Path = path
	_, err := Open(t.Context(), o)
	says(t, err, fs.ErrPermission, "run as root")
}

func TestIntegrationReaderWithoutWriteAccess(t *testing.T) {
	needRoot(t)
	group, err := user.LookupGroup("daemon")
	if err != nil {
		t.Skip("needs the group daemon")
	}
	o := testOptions(t)
	o.Path, o.Group = filepath.Join(openDir(t), "procmon.db"), group.Name
	w := mustOpen(t, o)
	mustWrite(t, w, whole(aRun()))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		var st unix.Stat_t
		if err := unix.Stat(o.Path+suffix, &st); err != nil {
			t.Fatal(err)
		}
		if gid := strconv.Itoa(int(st.Gid)); st.Uid != 0 || gid != group.Gid || st.Mode&0o777 != fileMode {
			t.Errorf("%q: uid %d, gid %s, mode %o", suffix, st.Uid, gid, st.Mode)
		}
	}
	if err := asNobody(t, group.Gid, "TestReadAt", o.Path); err != nil {
		t.Errorf("while the writer runs: %v", err)
	}
	if err := asNobody(t, "", "TestReadAt", o.Path); err == nil || !strings.Contains(err.Error(), "only root and members of the index's group") {
		t.Errorf("somebody outside of the group: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := asNobody(t, group.Gid, "TestReadAt", o.Path); err != nil {
		t.Errorf("after a clean stop: %v", err)
	}
}

func TestIntegrationUnwritable(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	if err := asNobody(t, "", "TestWriteAt", filepath.Join(dir, "procmon.db")); err != nil {
		t.Errorf("directory: %v", err)
	}
	path := filepath.Join(dir, "root.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := asNobody(t, "", "TestWriteAt", path); err != nil {
		t.Errorf("file: %v", err)
	}
}

// TestIntegrationDiskFull fills a small file system, makes room and goes on:
// nothing of a refused batch is stored, and giving it again stores it once.
func TestIntegrationDiskFull(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m,mode=0755"); err != nil {
		t.Skipf("no tmpfs can be mounted: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1500<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	o := testOptions(t)
	o.Path = filepath.Join(dir, "procmon.db")
	w := mustOpen(t, o)
	h := newHistory(seeded(t), 1)
	stored := 0
	var refused []procmon.Record
	for refused == nil {
		batch := h.batch(200)
		switch err := w.Write(t.Context(), batch); {
		case err == nil:
			stored += len(batch)
		case !strings.Contains(err.Error(), "no space left"):
			t.Fatalf("not the error of a full disk: %v", err)
		default:
			if lost := new(procmon.LostError); errors.As(err, &lost) {
				t.Fatalf("a full disk is no loss for good: %v", err)
			}
			refused = batch
		}
	}
	count := func() int64 {
		r := mustRead(t, w)
		defer r.Close()
		agree(t, r)
		return dump(t, r, "SELECT count(*) AS n FROM runs")[0]["n"].(int64)
	}
	if got := count(); got != int64(stored) || stored == 0 {
		t.Errorf("%d runs, want %d", got, stored)
	}
	if err := w.Write(t.Context(), refused); err == nil {
		t.Error("it fits on the second try")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, w, refused...)
	mustWrite(t, w, h.batch(200)...)
	if got := count(); got != int64(stored+400) {
		t.Errorf("%d runs after there was room again, want %d", got, stored+400)
	}
	if err := w.Heartbeat(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
}
