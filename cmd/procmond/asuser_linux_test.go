package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestIntegrationAsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it takes another user's permissions")
	}
	private := filepath.Join(t.TempDir(), "private")
	if err := os.WriteFile(private, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(private, 1234, 1234); err != nil {
		t.Fatal(err)
	}
	// t.TempDir lies below directories that only root may enter.
	if err := os.Chmod(filepath.Dir(private), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(filepath.Dir(private)), 0o755); err != nil {
		t.Fatal(err)
	}
	read := func() error { _, err := os.ReadFile(private); return err }
	var own, foreign error
	asUser(1234, 1234, func() { own = read() })
	asUser(65534, 65534, func() { foreign = read() })
	if own != nil || !errors.Is(foreign, os.ErrPermission) {
		t.Errorf("its owner: %v; another user: %v, want %v", own, foreign, os.ErrPermission)
	}
	if err := read(); err != nil {
		t.Errorf("root, afterwards: %v", err)
	}
}
