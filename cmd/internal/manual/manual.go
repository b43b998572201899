package manual

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Choices are the words that a flag's value is one of, by the flag's name.
type Choices map[string][]string

// Commands are two commands for an app to have: "completion SHELL" and the
// hidden "man". wrong makes an error of wrong use.
func Commands(app func() *cli.App, out io.Writer, choices Choices, wrong func(string) error) []*cli.Command {
	return []*cli.Command{
		{
			Name: "completion", Usage: "print a completion script for a shell", ArgsUsage: "bash|zsh|fish", Description: completionHelp(app().Name),
			Action: func(c *cli.Context) error {
				write, ok := map[string]func(*cli.App, Choices) string{"bash": bash, "zsh": zsh, "fish": fish}[c.Args().First()]
				if c.NArg() != 1 || !ok {
					return wrong("completion needs a shell: bash, zsh or fish")
				}
				_, err := io.WriteString(out, write(app(), choices))
				return err
			},
		},
		{
			Name: "man", Usage: "print the manual page", Hidden: true,
			Action: func(*cli.Context) error {
				_, err := io.WriteString(out, man(app()))
				return err
			},
		},
	}
}

func completionHelp(name string) string {
	return fmt.Sprintf(`Prints a script that completes commands, flags and the values that flags choose from:

   bash:  source <(%[1]s completion bash)
   zsh:   %[1]s completion zsh > DIRECTORY-OF-FPATH/_%[1]s
   fish:  %[1]s completion fish | source`, name)
}

// flag is what pages and scripts need to know of one.
type flag struct {
	name  string
	usage string // harmless: one line, the value's name without its marks
	value string // the value's name, empty: it takes none
	files bool   // its value is a file's name
}

// flagsOf lists flags but for hidden ones, the first name of each.
func flagsOf(flags []cli.Flag) []flag {
	var list []flag
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		if v, visible := f.(cli.VisibleFlag); !ok || visible && !v.IsVisible() {
			continue
		}
		out := flag{name: f.Names()[0], usage: strings.Join(strings.Fields(strings.ReplaceAll(d.GetUsage(), "`", "")), " ")}
		if d.TakesValue() {
			out.value = "VALUE"
			if parts := strings.SplitN(d.GetUsage(), "`", 3); len(parts) == 3 {
				out.value = parts[1]
			}
			// Settings, which are flags too, tell it by their names.
			out.files = slices.Contains([]string{"PATH", "FILE", "DIR"}, out.value) ||
				slices.ContainsFunc([]string{"-path", "-dir", "-socket"}, func(end string) bool { return strings.HasSuffix(out.name, end) })
		}
		list = append(list, out)
	}
	return list
}

// visible are the commands that people are told of.
func visible(app *cli.App) []*cli.Command {
	return slices.DeleteFunc(slices.Clone(app.Commands), func(c *cli.Command) bool { return c.Hidden })
}

func names(app *cli.App) []string {
	var list []string
	for _, c := range visible(app) {
		list = append(list, c.Name)
	}
	return list
}
