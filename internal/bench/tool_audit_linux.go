package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// auditKey marks the rule that the benchmark adds, so that no other is removed.
const auditKey = "procmon-bench"

var auditRule = []string{"-a", "always,exit", "-F", "arch=b64", "-S", "execve,execveat", "-k", auditKey}

// auditBacklog is the kernel's queue, as long as the rules make it that the
// distributions ship.
const auditBacklog = 8192

// audit is the kernel's side of auditd and go-audit: what is changed there, and
// put back.
type audit struct {
	was  map[string]int // nil: nothing has been changed
	lost int
}

// prepare makes room for the tool alone.
func (a *audit) prepare() error {
	for _, program := range []string{"auditctl"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed", program)
		}
	}
	st, err := auditctlStatus()
	if err != nil {
		return err
	}
	switch {
	case st["pid"] != 0:
		return fmt.Errorf("process %d takes the kernel's audit records: stop it while this is measured", st["pid"])
	case st["enabled"] == 2:
		return errors.New("the audit rules are locked until the next boot (auditctl -e 2)")
	}
	rules, err := auditctl("-l")
	if err != nil {
		return err
	}
	if strings.TrimSpace(rules) != "No rules" {
		return errors.New("there are audit rules already (auditctl -l): remove them while this is measured")
	}
	if _, err := auditctl("-b", strconv.Itoa(auditBacklog)); err != nil {
		return err
	}
	a.was = st
	return nil
}

// queueEmpty is when the kernel has handed on all records.
func (a *audit) queueEmpty() error {
	st, err := auditctlStatus()
	if err == nil && st["backlog"] > 0 {
		err = fmt.Errorf("%d records wait", st["backlog"])
	}
	return err
}

// endRecording removes the rule and keeps how many records were lost.
func (a *audit) endRecording() error {
	if a.was == nil {
		return nil
	}
	_, err := auditctl("-D", "-k", auditKey)
	st, err2 := auditctlStatus()
	if err = errors.Join(err, err2); err == nil {
		a.lost = st["lost"] - a.was["lost"]
	}
	return err
}

// restore puts back what prepare changed; the tool has ended.
func (a *audit) restore() error {
	if a.was == nil {
		return nil
	}
	_, err := auditctl("-b", strconv.Itoa(a.was["backlog_limit"]))
	_, err2 := auditctl("-e", strconv.Itoa(a.was["enabled"]))
	a.was = nil
	return errors.Join(err, err2)
}

func auditctl(args ...string) (string, error) {
	out, err := exec.Command("auditctl", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("auditctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

func auditctlStatus() (map[string]int, error) {
	text, err := auditctl("-s")
	if err != nil {
		return nil, err
	}
	return auditStatus(text)
}

// listens is when the kernel gives its records to the process.
func listens(pid int) error {
	st, err := auditctlStatus()
	if err == nil && st["pid"] != pid {
		err = fmt.Errorf("the kernel gives its records to process %d, not %d", st["pid"], pid)
	}
	return err
}

// kauditd finds the kernel's thread that sends the records.
func kauditd() ([]int, error) {
	comms, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return nil, err
	}
	for _, path := range comms {
		if b, err := os.ReadFile(path); err == nil && string(b) == "kauditd\n" {
			if exe, err := os.Readlink(filepath.Join(filepath.Dir(path), "exe")); err == nil && exe != "" {
				continue // a program with that name
			}
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return []int{pid}, err
		}
	}
	return nil, errors.New("the kernel has no thread kauditd")
}

// auditd is the audit daemon with a rule for execve, else as it is shipped.
type auditd struct {
	audit
	child *child
}

// auditdConf has the values of the shipped auditd.conf but for the places, and
// no limit that a short run could meet.
const auditdConf = `local_events = yes
write_logs = yes
log_file = %[1]s/audit.log
log_group = root
log_format = ENRICHED
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 8
num_logs = 5
priority_boost = 4
name_format = NONE
max_log_file_action = IGNORE
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
q_depth = 2000
overflow_action = IGNORE
max_restarts = 10
plugin_dir = %[1]s/plugins
end_of_event_timeout = 2
`

func (a *auditd) start(ctx context.Context, dir string) (*processes, error) {
	if _, err := exec.LookPath("auditd"); err != nil {
		return nil, errors.New("auditd is not installed")
	}
	if err := a.prepare(); err != nil {
		return nil, err
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "plugins"), 0o750),
		os.WriteFile(filepath.Join(dir, "auditd.conf"), fmt.Appendf(nil, auditdConf, dir), 0o640)); err != nil {
		return nil, err
	}
	thread, err := kauditd()
	if err != nil {
		return nil, err
	}
	if a.child, err = startChild(dir, exec.Command("auditd", "-n", "-c", dir)); err != nil {
		return nil, err
	}
	if err := a.child.ready(ctx, func() error { return listens(a.child.pid()) }); err != nil {
		return nil, err
	}
	_, err = auditctl(auditRule...)
	return &processes{tool: []int{a.child.pid()}, kernel: thread}, err
}

func (a *auditd) stop() error {
	err := a.endRecording()
	if a.child != nil {
		err = errors.Join(err, a.child.ready(context.Background(), a.queueEmpty))
	}
	return errors.Join(err, a.child.end(syscall.SIGTERM), a.restore())
}

func (a *auditd) read(dir string, c *counter) error {
	c.SaysLost, c.Lost = true, a.lost
	return readFile(filepath.Join(dir, "audit.log"), c, readAudit)
}

// goAudit is go-audit with the same rule, which it sets itself, writing to a
// file.
type goAudit struct {
	audit
	child *child
}

const goAuditConf = `events: {min: 1300, max: 1399}
message_tracking: {enabled: true, log_out_of_order: false, max_out_of_order: 500}
output:
  file: {enabled: true, attempts: 2, path: %s/go-audit.log, mode: 0600, user: root, group: root}
log: {flags: 0}
rules:
  - %s
  - -e 1
`

func (g *goAudit) start(ctx context.Context, dir string) (*processes, error) {
	if _, err := exec.LookPath("go-audit"); err != nil {
		return nil, errors.New("go-audit is not in PATH")
	}
	if err := g.prepare(); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "go-audit.yaml")
	if err := os.WriteFile(conf, fmt.Appendf(nil, goAuditConf, dir, strings.Join(auditRule, " ")), 0o600); err != nil {
		return nil, err
	}
	thread, err := kauditd()
	if err != nil {
		return nil, err
	}
	if g.child, err = startChild(dir, exec.Command("go-audit", "-config", conf)); err != nil {
		return nil, err
	}
	return &processes{tool: []int{g.child.pid()}, kernel: thread}, g.child.ready(ctx, func() error { return listens(g.child.pid()) })
}

// stop waits for the events of which the end was not seen: go-audit writes them
// two seconds later, when another record comes.
func (g *goAudit) stop() error {
	if g.child != nil && g.was != nil {
		time.Sleep(2 * time.Second)
	}
	err := g.endRecording()
	if g.child != nil {
		err = errors.Join(err, g.child.ready(context.Background(), g.queueEmpty))
	}
	return errors.Join(err, g.child.end(syscall.SIGTERM), g.restore())
}

func (g *goAudit) read(dir string, c *counter) error {
	c.SaysLost, c.Lost = true, g.lost
	return readFile(filepath.Join(dir, "go-audit.log"), c, readGoAudit)
}
