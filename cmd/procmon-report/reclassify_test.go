package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"procmon"
	"procmon/index"
	"procmon/report/reporttest"
)

// An interrupt says how far it came, and that the next call goes on.
func TestReclassifyInterrupted(t *testing.T) {
	path := reporttest.Small(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &world{err: new(bytes.Buffer), now: reporttest.Now, zone: time.UTC}
	done, err := w.renameAll(ctx, path, index.Reclassify{Name: func(_ string, was procmon.Application) procmon.Application {
		cancel()
		return was
	}})
	if err == nil || !strings.Contains(err.Error(), "interrupted after 0s, with 0 programs changed; they stay") || exitCode(err) != exitFailed {
		t.Errorf("%+v, %v", done, err)
	}
	if got := say(t, []string{"procmon-report", "reclassify", "--index", path, "--catalog-dir", "testdata/rules/first"}, 0); !strings.Contains(got, "2 of 8 programs changed.") {
		t.Error(got)
	}
}
