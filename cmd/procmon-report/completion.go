package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"procmon/report"
)

const completionDescription = `Prints a script that completes commands and flags:
   bash:  source <(procmon-report completion bash)
   zsh:   procmon-report completion zsh > DIRECTORY-OF-FPATH/_procmon-report
   fish:  procmon-report completion fish | source`

// completion prints a script made from the commands and flags of the program.
func (w *world) completion(c *cli.Context) error {
	shells := map[string]func(*cli.App) string{"bash": bash, "zsh": zsh, "fish": fish}
	script, ok := shells[c.Args().First()]
	if c.NArg() != 1 || !ok {
		return &report.UnknownError{What: "shell", Name: c.Args().First(), Known: []string{"bash", "zsh", "fish"}}
	}
	_, err := fmt.Fprint(w.out, script(w.app()))
	return err
}

// word is a flag or a command and what it is for.
type word struct{ text, usage string }

// words lists the flags of the program and of its commands, each once.
func words(app *cli.App) (flags, commands []word) {
	all := slices.Clone(app.Flags)
	for _, c := range app.VisibleCommands() {
		commands = append(commands, word{c.Name, c.Usage})
		all = append(all, c.Flags...)
	}
	for _, f := range all {
		usage := ""
		if d, ok := f.(cli.DocGenerationFlag); ok {
			usage = strings.ReplaceAll(d.GetUsage(), "`", "")
		}
		for _, name := range f.Names() {
			if len(name) > 1 && !slices.ContainsFunc(flags, func(w word) bool { return w.text == name }) {
				flags = append(flags, word{name, usage})
			}
		}
	}
	return flags, commands
}

func bash(app *cli.App) string {
	flags, commands := words(app)
	var all []string
	for _, c := range commands {
		all = append(all, c.text)
	}
	for _, f := range flags {
		all = append(all, "--"+f.text)
	}
	return "complete -o default -W '" + strings.Join(all, " ") + "' procmon-report\n"
}

func zsh(app *cli.App) string {
	flags, commands := words(app)
	var b strings.Builder
	b.WriteString("#compdef procmon-report\n_arguments \\\n")
	for _, f := range flags {
		fmt.Fprintf(&b, "  %s \\\n", quote("--"+f.text+"["+bracketless(f.usage)+"]"))
	}
	var names []string
	for _, c := range commands {
		names = append(names, c.text)
	}
	fmt.Fprintf(&b, "  %s \\\n  '*:file:_files'\n", quote("1:command:("+strings.Join(names, " ")+")"))
	return b.String()
}

func fish(app *cli.App) string {
	flags, commands := words(app)
	var b strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&b, "complete -c procmon-report -n __fish_use_subcommand -a %s -d %s\n", c.text, quote(c.usage))
	}
	for _, f := range flags {
		fmt.Fprintf(&b, "complete -c procmon-report -l %s -d %s\n", f.text, quote(f.usage))
	}
	return b.String()
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func bracketless(s string) string {
	return strings.NewReplacer("[", "(", "]", ")", ":", ";").Replace(s)
}
