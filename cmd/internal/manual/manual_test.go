package manual

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func sample() *cli.App {
	return &cli.App{
		Name: "some-program", Usage: "do it's work", Description: "Works on files.\n.hidden stays.\n\n   indented \\n\n\nEXAMPLES:\n   some-program go\n\nEXIT STATUS:\n   0  done\n",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "show as `FORMAT`: a [b]"}, &cli.StringFlag{Name: "output", Usage: "write to `FILE`"},
			&cli.BoolFlag{Name: "quiet", Usage: "don't talk"}, &cli.BoolFlag{Name: "secret", Hidden: true},
		},
		Commands: []*cli.Command{
			{Name: "go", Usage: "go on", ArgsUsage: "WHERE", Flags: []cli.Flag{&cli.IntFlag{Name: "limit", Usage: "at most `N`"}}},
			{Name: "inner", Hidden: true},
		},
	}
}

var choices = Choices{"format": {"table", "json"}}

func TestMan(t *testing.T) {
	got := man(sample())
	for _, want := range []string{
		".TH SOME\\-PROGRAM 8\n", "some\\-program \\- do it's work\n", "\\&.hidden stays.\n", ".nf\n   indented \\en\n", ".SH EXAMPLES\n",
		".SH EXIT STATUS\n", ".SS some\\-program go WHERE\n", "\\fB\\-\\-limit\\fR \\fIN\\fR\nat most N\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret") || strings.Contains(got, "inner") {
		t.Error("what is hidden is told")
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("no groff")
	}
	c := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
	c.Stdin = strings.NewReader(got)
	if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}

// complete asks bash what it would complete.
func complete(t *testing.T, words ...string) string {
	t.Helper()
	script := bash(sample(), choices) + "COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _some_program; echo \"${COMPREPLY[*]}\"\n"
	out, err := exec.Command("bash", append([]string{"-c", script, "bash"}, words...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestBash(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"some-program", ""}, "go --format --output --quiet --help"},
		{[]string{"some-program", "--fo"}, "--format"},
		{[]string{"some-program", "--format", ""}, "table json"},
		{[]string{"some-program", "--output", ""}, ""},
		{[]string{"some-program", "go", "--"}, "--limit --help"},
	} {
		if got := complete(t, c.words...); got != c.want {
			t.Errorf("%q: %q, want %q", c.words, got, c.want)
		}
	}
}

func TestShellsTakeTheScripts(t *testing.T) {
	for shell, script := range map[string]string{"bash": bash(sample(), choices), "zsh": zsh(sample(), choices), "fish": fish(sample(), choices)} {
		if strings.Contains(script, "secret") || strings.Contains(script, "inner") || !strings.Contains(script, "limit") {
			t.Errorf("%s:\n%s", shell, script)
		}
		if _, err := exec.LookPath(shell); err != nil {
			t.Logf("no %s to check with", shell)
			continue
		}
		c := exec.Command(shell, "-n", "/dev/stdin")
		c.Stdin = strings.NewReader(script)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", shell, err, out, script)
		}
	}
}

func TestCommands(t *testing.T) {
	var out bytes.Buffer
	wrong := errors.New("wrong use")
	app := sample()
	app.Commands = append(app.Commands, Commands(sample, &out, choices, func(string) error { return wrong })...)
	app.ExitErrHandler = func(*cli.Context, error) {}
	for _, args := range [][]string{{"completion", "bash"}, {"completion", "zsh"}, {"completion", "fish"}, {"man"}} {
		out.Reset()
		if err := app.Run(append([]string{"some-program"}, args...)); err != nil || out.Len() == 0 {
			t.Errorf("%q: %v, %d bytes", args, err, out.Len())
		}
	}
	if err := app.Run([]string{"some-program", "completion", "tcsh"}); !errors.Is(err, wrong) {
		t.Errorf("tcsh: %v", err)
	}
}
