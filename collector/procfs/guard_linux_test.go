package procfs

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Whoever lets one read after another hang holds the caller up for a tenth of
// the limit only, from the second on.
func TestGuardLosesPatience(t *testing.T) {
	root := t.TempDir()
	guard := NewGuard(root, NewEnvFilter(), 0, 500*time.Millisecond)
	t.Cleanup(func() { _ = guard.Close() })
	const hanging = 4
	for pid := range int32(hanging) {
		dir := root + "/" + strconv.Itoa(int(pid))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(dir+"/stat", 0o600); err != nil { // opening it waits for a writer
			t.Fatal(err)
		}
	}
	if got := guard.patience(); got != guard.limit {
		t.Errorf("at first it waits %v", got)
	}
	for pid := range int32(hanging) {
		if _, err := guard.Process(pid); !errors.Is(err, ErrStuck) {
			t.Errorf("pid %d: %v", pid, err)
		}
		if got := guard.patience(); got != guard.limit/10 {
			t.Errorf("then it waits %v", got)
		}
	}
	for pid := range hanging {
		writer, err := os.OpenFile(root+"/"+strconv.Itoa(pid)+"/stat", os.O_RDWR, 0) // lets the read go on
		if err != nil {
			t.Fatal(err)
		}
		_ = writer.Close()
	}
}
