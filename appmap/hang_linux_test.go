package appmap

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"procmon"
)

// hang mounts a filesystem of FUSE that takes every question and answers none
// (/dev/fuse, include/uapi/linux/fuse.h), where this thread alone sees it. The
// caller's goroutine ends with the thread, and the mount with that. asked tells
// of each question.
func hang(dir string) (asked <-chan uint32, release func(), err error) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return nil, nil, fmt.Errorf("a mount namespace of its own: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, nil, fmt.Errorf("private mounts: %w", err)
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("/dev/fuse: %w", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)
	if err := unix.Mount("hang", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		unix.Close(fd)
		return nil, nil, fmt.Errorf("a mount of FUSE: %w", err)
	}
	questions := make(chan uint32, 1024)
	go func() {
		defer close(questions)
		defer unix.Close(fd)
		buf := make([]byte, 1<<17)
		for {
			n, err := unix.Read(fd, buf)
			if err == unix.EINTR || err == unix.ENOENT { // a question that was taken back
				continue
			}
			if err != nil || n < 40 {
				return
			}
			const initialise = 26
			opcode := binary.NativeEndian.Uint32(buf[4:])
			if opcode != initialise {
				questions <- opcode
				continue
			}
			reply := make([]byte, 16+64)
			binary.NativeEndian.PutUint32(reply, uint32(len(reply)))
			copy(reply[8:16], buf[8:16])
			binary.NativeEndian.PutUint32(reply[16:], 7) // version 7.31
			binary.NativeEndian.PutUint32(reply[20:], 31)
			binary.NativeEndian.PutUint32(reply[36:], 4096) // max_write
			if _, err := unix.Write(fd, reply); err != nil {
				return
			}
		}
	}()
	return questions, func() { _ = unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH) }, nil
}

// TestIntegrationHungFilesystem: on a filesystem that really hangs, those who
// ask wait, the rest is named by paths, and when it is gone nothing is left
// behind: no reader, no goroutine, no open file.
func TestIntegrationHungFilesystem(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts a filesystem")
	}
	root := t.TempDir()
	dir := filepath.Join(root, "hung")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { // whose thread ends with it
		asked, release, err := hang(dir)
		if err == nil {
			defer release()
			askHung(t, root, asked, release)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Skip("no filesystem that hangs:", err)
	}
}

func askHung(t *testing.T, root string, asked <-chan uint32, release func()) {
	before, routines := openFDs(), runtime.NumGoroutine()
	m, err := New(Config{Root: root}) // without a table of mounts it counts as local
	if err != nil {
		t.Error(err)
		return
	}
	answers := make(chan procmon.Application, maxReaders)
	for i := range maxReaders {
		go func() {
			answers <- m.Identify(context.Background(), process(fmt.Sprintf("/hung/env%d/bin/tool", i)))
		}()
	}
	<-asked // the kernel asks one at a time
	waitFor(t, "readers", func() bool { return len(m.readers) == maxReaders })
	began := time.Now()
	if got := m.Identify(context.Background(), process("/apps/bwa/0.7.17/bin/bwa")); got.Version != "0.7.17" {
		t.Errorf("meanwhile: %+v", got)
	}
	t.Logf("a name by its path took %v", time.Since(began))
	if len(answers) > 0 {
		t.Error("the filesystem did not hang")
	}
	release()
	for range maxReaders {
		if got := <-answers; got.Name != "" {
			t.Errorf("%+v", got)
		}
	}
	for range asked { // until the filesystem's own goroutine is gone
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if len(m.readers) != 0 || openFDs() > before {
		t.Errorf("%d readers and %d more files are left", len(m.readers), openFDs()-before)
	}
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= routines })
}

func waitFor(t *testing.T, what string, there func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !there(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Errorf("waited too long for %s", what)
			return
		}
	}
}
