//go:build !linux

package main

import (
	"context"
	"fmt"
	"io"

	"procmon"
)

// On other systems only "explain --json" and "config" work: the rest is about
// the Linux kernel.

func runDaemon(context.Context, *Settings, io.Writer) error { return needsLinux() }

func runCheck(context.Context, *Settings, bool, io.Writer, io.Writer) error { return needsLinux() }

func readProcess(int32, int) (*procmon.Process, []*procmon.Process, error) {
	return nil, nil, needsLinux()
}

func (*userGroups) asUser(_ *procmon.Process, f func()) { f() }

func needsLinux() error { return fmt.Errorf("%w: procmond needs Linux", errNotPossible) }

func detach(string) (string, error) { return "", needsLinux() }
