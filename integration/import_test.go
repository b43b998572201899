package integration

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestIntegrationImport makes an index of a daemon's JSON lines. It must give
// the reports of the daemon's own.
func TestIntegrationImport(t *testing.T) {
	f := setUp(t)
	needs(t, "/usr/bin/python3")
	d := startDaemon(t, f, "--source", string(f.best(t)), "--start-after", "100ms", "--checkpoint-every", "1s")
	tag := newTag()
	output(t, as(t, f.alice, "sh", "-c", "for i in 1 2 3; do /bin/true "+tag+" $i; done; /bin/false; exec /bin/true", tag))
	output(t, as(t, f.bob, "/usr/bin/python3", "-c", "import time\nend = time.monotonic() + 2.5\nwhile time.monotonic() < end: pass", tag))
	d.flush()
	d.stop()

	imported := f.tempDir(t) + "/imported.db"
	report := func(args ...string) string {
		return output(t, exec.CommandContext(t.Context(), f.program("procmon-report"), args...))
	}
	if said := report("import", "--strict", "--index", imported, d.lines); !strings.Contains(said, " known already") || strings.Contains(said, "bad") {
		t.Errorf("import says %q", said)
	}
	if said := report("import", "--strict", "--index", imported, d.lines); !strings.Contains(said, ": 0 runs new, 0 updated, ") {
		t.Errorf("a second import says %q", said)
	}
	for _, by := range []string{"application,version", "user", "job,step", "host", "executable", "kind", "day"} {
		args := []string{"--by", by, "--all", "--format", "csv", "--index"}
		own := report(append(args, d.index)...)
		if diff := cmp.Diff(own, report(append(args, imported)...)); diff != "" {
			t.Errorf("by %s (-the daemon's +imported):\n%s", by, diff)
		}
		if by == "user" && (!strings.Contains(own, f.alice.name) || !strings.Contains(own, f.bob.name)) {
			t.Errorf("the daemon recorded nothing of them:\n%s", own)
		}
	}
}
