package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"procmon/report/reporttest"
)

// TestMainOfPipe is the program itself where TestPipe starts it.
func TestMainOfPipe(t *testing.T) {
	if os.Getenv("PROCMON_TEST_ARGS") == "" {
		t.Skip("only for TestPipe")
	}
	os.Args = strings.Fields(os.Getenv("PROCMON_TEST_ARGS"))
	main()
}

// The real program and a real pipe: it ends quietly when its reader leaves.
func TestPipe(t *testing.T) {
	index := reporttest.Small(t)
	for _, args := range []string{"--by-executable", "--format html", "job 1234", "man"} {
		var stderr bytes.Buffer
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=TestMainOfPipe")
		c.Env = append(os.Environ(), "PROCMON_TEST_ARGS=procmon-report "+args, "PROCMON_INDEX_PATH="+index)
		c.Stderr = &stderr
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stdout = w
		if err := errors.Join(r.Close(), c.Start(), w.Close()); err != nil { // nobody reads
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("%s: %v, said %q", args, err, stderr.String())
		}
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=TestMainOfPipe")
	c.Env = append(os.Environ(), "PROCMON_TEST_ARGS=procmon-report man")
	if out, err := c.Output(); err != nil || !bytes.HasPrefix(out, []byte(".TH PROCMON")) {
		t.Errorf("this test does not test: %v, %.50q", err, out)
	}
	if _, err := (outlet{io.Discard}).Write([]byte("x")); err != nil {
		t.Error(err)
	}
}
