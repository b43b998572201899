package manual

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

func sample() *cli.App {
	return &cli.App{
		Name: "some-program", Usage: "do it's work", Description: "Works on files.\n.hidden stays.\n\n   indented \\n\n\nEXAMPLES:\n   some-program go\n\nEXIT STATUS:\n   0  done\n",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "show as `FORMAT`: a [b]"}, &cli.StringFlag{Name: "output", Usage: "write to `FILE`"},
			&cli.BoolFlag{Name: "quiet", Usage: "don't talk"}, &cli.BoolFlag{Name: "secret", Hidden: true},
			&cli.StringFlag{Name: "keep-dir", Usage: "where to keep it"}, &cli.StringFlag{Name: "title", Usage: "call it `NAME`"},
		},
		Commands: []*cli.Command{
			{Name: "go", Usage: "go on", ArgsUsage: "WHERE", Flags: []cli.Flag{&cli.IntFlag{Name: "limit", Usage: "at most `N`"}}},
			{Name: "inner", Hidden: true},
			{Name: "take", Usage: "take a \"file\": it's there", ArgsUsage: "FILE…", Flags: []cli.Flag{&cli.StringFlag{Name: "name", Usage: "call it $HOME `NAME`"}}},
			{Name: "choose", Usage: "choose", ArgsUsage: "one|two"},
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
		{[]string{"some-program", ""}, "go take choose --format --output --quiet --keep-dir --title --help"},
		{[]string{"some-program", "--fo"}, "--format"},
		{[]string{"some-program", "--format", ""}, "table json"},
		{[]string{"some-program", "--output", ""}, ""},
		{[]string{"some-program", "--format", "="}, "table json"}, // as bash takes --format= apart
		{[]string{"some-program", "--format", "=", "j"}, "json"},
		{[]string{"some-program", "choose", "t"}, "two"},
		{[]string{"some-program", "take", "a"}, ""},
		{[]string{"some-program", "go", "--"}, "--limit --help"},
	} {
		if got := complete(t, c.words...); got != c.want {
			t.Errorf("%q: %q, want %q", c.words, got, c.want)
		}
	}
}

// run runs a shell that may be missing here.
func run(t *testing.T, shell string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(shell); err != nil {
		t.Skipf("no %s to ask", shell)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, shell, args...)
	c.Dir = filepath.Join("testdata", "here")
	c.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=", "XDG_DATA_HOME=") // nobody's own settings
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, out)
	}
	return string(out)
}

// offers are what zsh and fish offer where a line ends.
var offers = []struct{ line, want string }{
	{"some-program ", "choose go take"},
	{"some-program --fo", "--format"},
	{"some-program --format ", "json table"},
	{"some-program --format j", "json"},
	{"some-program --output ", "a-file"},
	{"some-program --keep-dir ", "a-file"},
	{"some-program --h", "--help"},
	{"some-program --title ", ""},
	{"some-program go ", ""},
	{"some-program go --l", "--limit"},
	{"some-program go --f", ""},
	{"some-program take ", "a-file"},
	{"some-program --quiet take --n", "--name"},
	{"some-program choose ", "one two"},
}

func sorted(s string) string {
	words := strings.Fields(s)
	slices.Sort(words)
	return strings.Join(words, " ")
}

func TestZsh(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "_some-program"), []byte(zsh(sample(), choices)), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, c := range offers {
		file := filepath.Join(dir, strconv.Itoa(i))
		run(t, "zsh", "-f", "../offer.zsh", dir, file, c.line)
		got, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if sorted(string(got)) != c.want {
			t.Errorf("%q: %q, want %q", c.line, sorted(string(got)), c.want)
		}
	}
}

func TestFish(t *testing.T) {
	script := filepath.Join(t.TempDir(), "some-program.fish")
	if err := os.WriteFile(script, []byte(fish(sample(), choices)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range offers {
		said := run(t, "fish", "-c", "source $argv[1]; complete -C $argv[2]", script, c.line)
		var got strings.Builder
		for line := range strings.Lines(said) {
			word, _, _ := strings.Cut(line, "\t")
			got.WriteString(strings.TrimSpace(word) + "\n")
		}
		if sorted(got.String()) != c.want {
			t.Errorf("%q: %q, want %q", c.line, sorted(got.String()), c.want)
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
