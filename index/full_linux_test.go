package index

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestIntegrationDiskFullAtRandom fills a file system of its own again and again: the
// index gets no damage from it, and goes on when there is room.
func TestIntegrationDiskFullAtRandom(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	rnd, dir := seeded(t), t.TempDir()
	if err := unix.Mount("procmon", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	o := testOptions(t)
	o.Path = filepath.Join(dir, "procmon.db")
	w := mustOpen(t, o)
	h := newHistory(rnd, 0.5)
	filler, stored, full := filepath.Join(dir, "filler"), int64(0), 0
	for range long(t, 30, 300) {
		var room unix.Statfs_t
		if err := unix.Statfs(dir, &room); err != nil {
			t.Fatal(err)
		}
		// Something else takes what is left, but for a little.
		leave := uint64(rnd.IntN(400 << 10))
		free := room.Bavail * uint64(room.Bsize)
		if err := os.WriteFile(filler, make([]byte, free-min(free, leave)), 0o600); err != nil {
			t.Fatal(err)
		}
		batch := h.batch(1 + rnd.IntN(60))
		err := w.Write(t.Context(), batch)
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			full++
			if errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "no space left") {
				t.Fatal(err)
			}
			mustWrite(t, w, batch...)
		}
		stored += int64(len(batch))
		if full%5 == 4 { // as after a crash of the daemon
			w.Close()
			w = mustOpen(t, o)
		}
	}
	r := mustRead(t, w)
	if n := number(t, r, "SELECT count(*) FROM runs"); n != stored {
		t.Errorf("%d runs, want %d", n, stored)
	}
	agree(t, r)
	aside, _ := filepath.Glob(o.Path + ".damaged-*")
	if full == 0 || len(aside) > 0 {
		t.Error(fmt.Sprint("full ", full, " times, set aside: ", aside))
	}
	t.Logf("full %d times", full)
}
