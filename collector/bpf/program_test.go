package bpf

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The committed object must be the one made of the committed source: nobody
// needs clang to build procmon, so nothing else would notice.
func TestObjectIsCurrent(t *testing.T) {
	sums, err := os.ReadFile("program.sum")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(sums)) {
		want, file, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("program.sum: %q", line)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != want {
			t.Errorf("%s has changed since the object was made: run make generate", file)
		}
		listed[file] = true
	}
	sources, err := filepath.Glob("program/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(sources, "capture_bpfel.o", "capture_bpfel.go") {
		if !listed[file] {
			t.Errorf("%s is not in program.sum: run make generate", file)
		}
	}
}
