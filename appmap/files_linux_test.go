package appmap

import (
	"testing"

	"golang.org/x/sys/unix"
)

func mkfifo(t testing.TB, name string) {
	t.Helper()
	if err := unix.Mkfifo(name, 0o644); err != nil {
		t.Fatal(err)
	}
}
