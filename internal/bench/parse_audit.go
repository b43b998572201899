package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Types of audit records (linux/audit.h).
const (
	auditSyscall = 1300
	auditCwd     = 1307
	auditExecve  = 1309
)

// auditEvent is what the records of one system call say.
type auditEvent struct {
	told
	failed bool // nothing ran
}

// record takes one record: data is "key=value" with spaces
// between, text in quotes, or in hexadecimal where it has spaces, quotes or
// control characters.
func (t *auditEvent) record(kind int, data string) {
	data, _, _ = strings.Cut(data, "\x1d") // what auditd adds in log_format ENRICHED
	var args []string
	for word := range strings.FieldsSeq(data) {
		key, value, _ := strings.Cut(word, "=")
		switch kind {
		case auditSyscall:
			switch key {
			case "success":
				t.failed = value != "yes"
			case "uid":
				t.uid = value
			case "exe":
				t.exe = auditText(value)
			case "comm":
				t.name = auditText(value)
			}
		case auditCwd:
			if key == "cwd" {
				t.cwd = auditText(value)
			}
		case auditExecve:
			if key == "a"+strconv.Itoa(len(args)) {
				args = append(args, auditText(value))
			}
		}
	}
	if args != nil {
		t.line = strings.Join(args, " ")
	}
}

func (t *auditEvent) count(c *counter) {
	if !t.failed {
		c.add(t.told)
	}
}

func auditText(value string) string {
	if s, ok := strings.CutPrefix(value, `"`); ok {
		return strings.TrimSuffix(s, `"`)
	}
	if b, err := hex.DecodeString(value); err == nil {
		return string(b)
	}
	return ""
}

// readAudit takes auditd's log. Records of events that happen at once are mixed.
func readAudit(r io.Reader, c *counter) error {
	kinds := map[string]int{"type=SYSCALL": auditSyscall, "type=CWD": auditCwd, "type=EXECVE": auditExecve}
	events := map[string]*auditEvent{}
	s := lines(r)
	for s.Scan() {
		head, data, ok := strings.Cut(s.Text(), "): ")
		name, id, ok2 := strings.Cut(head, " msg=audit(")
		kind := kinds[name]
		if !ok || !ok2 || kind == 0 {
			continue
		}
		t := events[id]
		if t == nil {
			t = &auditEvent{told: told{id: id}}
			events[id] = t
		}
		t.record(kind, data)
	}
	for _, id := range slices.Sorted(maps.Keys(events)) {
		events[id].count(c)
	}
	return s.Err()
}

// readGoAudit takes go-audit's log: one JSON object an event.
func readGoAudit(r io.Reader, c *counter) error {
	s := lines(r)
	for s.Scan() {
		var event struct {
			Sequence int
			Messages []struct {
				Type int
				Data string
			}
		}
		if err := json.Unmarshal(s.Bytes(), &event); err != nil {
			return fmt.Errorf("go-audit: %w: %.200s", err, s.Bytes())
		}
		t := auditEvent{told: told{id: strconv.Itoa(event.Sequence)}}
		for _, m := range event.Messages {
			t.record(m.Type, m.Data)
		}
		t.count(c)
	}
	return s.Err()
}

// auditStatus reads what auditctl -s prints.
func auditStatus(text string) (map[string]int, error) {
	st := map[string]int{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 2 {
			if n, err := strconv.Atoi(f[1]); err == nil {
				st[f[0]] = n
			}
		}
	}
	for _, key := range []string{"enabled", "pid", "backlog_limit", "lost", "backlog"} {
		if _, ok := st[key]; !ok {
			return nil, fmt.Errorf("auditctl -s says nothing of %q: %.200s", key, text)
		}
	}
	return st, nil
}
