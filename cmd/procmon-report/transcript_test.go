package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon/report/reporttest"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// Transcripts are text files with lines "$ procmon-report ARGS" and what the
// program then says: standard output as it is, standard error with "! " before
// it, and "[exit N]" where N is not 0. After "| head -N" whoever reads leaves. "$ terminal N" makes later output that
// of a terminal N columns wide. INDEX is the fixture's index; FILES a folder
// with files that are no good index. Lines that begin with "#" explain.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	bad := badFiles(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			replay(t, file, reporttest.Small(t), bad) // of its own: commands may write it
		})
	}
}

func replay(t *testing.T, file, index, bad string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := perform(t, string(want), index, bad)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, -update writes it anew):\n%s", file, diff)
	}
}

// perform runs the commands of a transcript and gives the transcript with
// what they said.
func perform(t *testing.T, transcript, index, bad string) string {
	t.Helper()
	t.Setenv("PROCMON_INDEX_PATH", index)
	terminal := 0
	var out strings.Builder
	for line := range strings.Lines(transcript) {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			if strings.HasPrefix(line, "#") {
				out.WriteString("\n" + line)
			}
			continue
		}
		if out.Len() > 0 && !strings.HasSuffix(out.String(), "\n\n") && !lastIsComment(out.String()) {
			out.WriteString("\n")
		}
		out.WriteString(line)
		if _, err := fmt.Sscanf(command, "terminal %d", &terminal); err == nil {
			continue
		}
		reader := &head{lines: -1}
		command, lines, piped := strings.Cut(command, " | head -")
		if _, err := fmt.Sscan(lines, &reader.lines); piped && err != nil {
			t.Fatal(err)
		}
		argv := shellWords(strings.NewReplacer("INDEX", index, "FILES", bad).Replace(strings.TrimSpace(command)))
		out.WriteString(strings.NewReplacer(index, "INDEX", bad, "FILES").Replace(sayTo(t, argv, terminal, reader)))
	}
	return strings.TrimLeft(out.String(), "\n")
}

func lastIsComment(s string) bool {
	s = strings.TrimSuffix(s, "\n")
	return strings.HasPrefix(s[strings.LastIndexByte(s, '\n')+1:], "#")
}

// head is a pipe to a reader who takes some lines and leaves.
type head struct {
	bytes.Buffer
	lines int // that are still wanted, -1: all
}

func (h *head) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		if h.lines == 0 {
			return 0, &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
		}
		h.Buffer.Write(line)
		if bytes.HasSuffix(line, []byte("\n")) {
			h.lines--
		}
	}
	return len(b), nil
}

// say runs the program once.
func say(t *testing.T, argv []string, terminal int) string {
	t.Helper()
	return sayTo(t, argv, terminal, &head{lines: -1})
}

func sayTo(t *testing.T, argv []string, terminal int, stdout *head) string {
	t.Helper()
	var stderr bytes.Buffer
	w := &world{
		out: stdout, err: &stderr, getenv: onlyIndex,
		now: reporttest.Now, zone: time.UTC, terminal: terminal,
	}
	code := w.run(t.Context(), argv)
	said := stdout.String()
	for line := range strings.Lines(stderr.String()) {
		said += "! " + line
	}
	if code != 0 {
		said += fmt.Sprintf("[exit %d]\n", code)
	}
	return said
}

// shellWords splits a command line at spaces outside single quotes.
func shellWords(s string) []string {
	var out []string
	word, quoted, begun := "", false, false
	for _, r := range s {
		switch {
		case r == '\'':
			quoted, begun = !quoted, true
		case r == ' ' && !quoted:
			if begun {
				out = append(out, word)
			}
			word, begun = "", false
		default:
			word, begun = word+string(r), true
		}
	}
	if begun {
		out = append(out, word)
	}
	return out
}

// badFiles makes files that are no index of this program.
func badFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"text.db": "this is no database, only text of some length\n", "empty.db": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	newer(t, filepath.Join(dir, "newer.db"))
	return dir
}

// onlyIndex is an environment that names the index at most.
func onlyIndex(name string) string {
	if name == "PROCMON_INDEX_PATH" {
		return os.Getenv(name)
	}
	return ""
}
