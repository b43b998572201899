package appmap

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// TestOlderRPMDatabasesAreTold: one that is not read is said to be, once.
func TestOlderRPMDatabasesAreTold(t *testing.T) {
	for file, want := range map[string]string{
		"var/lib/rpm/Packages": "/var/lib/rpm/Packages", "usr/lib/sysimage/rpm/Packages.db": "/usr/lib/sysimage/rpm/Packages.db",
		"var/lib/rpm/rpmdb.sqlite": "", "etc/passwd": "",
	} {
		t.Run(file, func(t *testing.T) {
			var out bytes.Buffer
			newMapper(t, Config{Root: rootOf(t, map[string]string{file: "x"}), Logger: slog.New(slog.NewTextHandler(&out, nil))})
			if got := out.String(); want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("logged %q", got)
			}
		})
	}
}
