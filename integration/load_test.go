package integration

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// loadLine is what check --load says of one recorder: whole runs, runs that lack
// something, events lost.
var loadLine = regexp.MustCompile(`(?m)^(ok|warn)\s+load: ([0-9,]+) of 10,000 runs recorded with every field \((.*?)\)(?:, ([0-9,]+) without [^;]*?)?, ([0-9,]+) lost`)

// The check starts programs itself and finds each of them recorded or counted,
// by a collector of its own and by the daemon that runs. How many are lost on a
// busy machine is not for a test to say.
func TestIntegrationCheckLoad(t *testing.T) {
	f := setUp(t)
	d := startDaemon(t, f, "--bpf-pin", "off")
	cmd := exec.CommandContext(t.Context(), f.program("procmond"), "check", "--load", "--config", d.dir+"/procmond.toml",
		"--index-path", d.index, "--jobs-dir", d.jobs, "--control-socket", d.control, "--syslog-address", "off", "--bpf-pin", "off")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	said := output(t, cmd)
	t.Logf("\n%s", said)
	recorders := map[string]bool{}
	for _, m := range loadLine.FindAllStringSubmatch(said, -1) {
		sum := 0
		for _, text := range []string{m[2], m[4], m[5]} {
			n, _ := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
			sum += n
		}
		if sum < 10_000 && !strings.Contains(said, "an unknown number") {
			t.Errorf("%s: recorded and lost are %d together", m[3], sum)
		}
		recorders[m[3]] = true
	}
	if len(recorders) != 2 || !recorders["running daemon"] {
		t.Errorf("lines of %v, want one of the check and one of the daemon", recorders)
	}
}
