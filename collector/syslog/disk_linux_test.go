package syslog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"procmon"
)

// smallDisk mounts a file system of a few pages.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("not root: can't mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("can't mount a tmpfs: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// A file on a full disk has whole lines only, and goes on when there is room.
func TestIntegrationFileDiskFull(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "lines")
	ballast := filepath.Join(dir, "ballast")
	put(t, ballast, strings.Repeat("x", 40_000))
	s := mustOpen(t, Options{Address: "file:" + path, Spool: t.TempDir()})
	records := numberedBatch(0, 30)
	for i := range records { // odd lengths, so that the end of the disk comes in the middle of a line
		if err := s.Write(context.Background(), records[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	st := s.Stats()
	if n := uint64(len(readLines(t, path))); n != st.Sent || st.Spooled == 0 || st.Lost != 0 {
		t.Errorf("%d lines in the file, %+v", n, st)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	want := strings.Join(wantLines(records, ownLine), "\n")
	eventually(t, "all lines are in the file", func() bool {
		b, err := os.ReadFile(path)
		return err == nil && strings.TrimSuffix(string(b), "\n") == want
	})
}

// A spool on a full disk means "not now": nothing is lost by giving up, and
// nothing torn is sent.
func TestIntegrationSpoolDiskFull(t *testing.T) {
	dir := smallDisk(t)
	run := shortTemp(t)
	ballast := filepath.Join(dir, "ballast")
	put(t, ballast, strings.Repeat("x", 40_000))
	socket := filepath.Join(run, "s")
	s := mustOpen(t, Options{Address: "unix:" + socket, Spool: filepath.Join(dir, "spool")})
	records := numberedBatch(0, 30)
	refused := -1
	for i := range records {
		if err := s.Write(context.Background(), records[i:i+1]); err != nil {
			var lost *procmon.LostError
			if errors.As(err, &lost) || !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			refused = i
			break
		}
	}
	if refused < 5 {
		t.Fatal("refused at", refused)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(context.Background(), records[refused:]); err != nil {
		t.Fatal(err)
	}
	r := listenUnix(t, socket)
	want := wantLines(records, foreignLine)
	waitFor(t, want, r)
	if got := r.got(); len(got) != len(want) {
		t.Errorf("%d different lines, want %d", len(got), len(want))
	}
}
