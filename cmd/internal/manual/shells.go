package manual

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// shellName is a program's name as part of a function's.
func shellName(app *cli.App) string { return "_" + strings.ReplaceAll(app.Name, "-", "_") }

// bash completes the flags of the command that is on the line.
func bash(app *cli.App, choices Choices) string {
	var b strings.Builder
	all := names(app)
	fmt.Fprintf(&b, "%s() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command='' word words=''\n", shellName(app))
	fmt.Fprintf(&b, "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        case $word in\n        %s) command=$word; break ;;\n        esac\n    done\n",
		strings.Join(all, "|"))
	b.WriteString("    case $prev in\n")
	for _, f := range everyFlag(app) {
		switch {
		case len(choices[f.name]) > 0:
			fmt.Fprintf(&b, "    --%s) mapfile -t COMPREPLY < <(compgen -W %s -- \"$cur\"); return ;;\n", f.name, quote(strings.Join(choices[f.name], " ")))
		case f.value != "":
			fmt.Fprintf(&b, "    --%s) COMPREPLY=(); return ;;\n", f.name)
		}
	}
	b.WriteString("    esac\n    case $command in\n")
	for _, c := range visible(app) {
		fmt.Fprintf(&b, "    %s) words=%s ;;\n", c.Name, quote(dashed(flagsOf(c.Flags))))
	}
	fmt.Fprintf(&b, "    *) words=%s ;;\n    esac\n", quote(strings.Join(all, " ")+" "+dashed(flagsOf(app.Flags))))
	fmt.Fprintf(&b, "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\ncomplete -o default -F %s %s\n", shellName(app), app.Name)
	return b.String()
}

// everyFlag lists the flags of the program and its commands, each name once.
func everyFlag(app *cli.App) []flag {
	var list []flag
	seen := make(map[string]bool)
	add := func(flags []cli.Flag) {
		for _, f := range flagsOf(flags) {
			if !seen[f.name] {
				seen[f.name] = true
				list = append(list, f)
			}
		}
	}
	add(app.Flags)
	for _, c := range visible(app) {
		add(c.Flags)
	}
	return list
}

func dashed(flags []flag) string {
	words := make([]string, 0, len(flags)+1)
	for _, f := range flags {
		words = append(words, "--"+f.name)
	}
	return strings.Join(append(words, "--help"), " ")
}

// zsh describes each flag, and the commands.
func zsh(app *cli.App, choices Choices) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\nlocal command=${words[(r)(%s)]}\ncase $command in\n", app.Name, strings.Join(names(app), "|"))
	for _, c := range visible(app) {
		fmt.Fprintf(&b, "%s) _arguments \\\n%s  '1:command:' '*:file:_files' ;;\n", c.Name, zshFlags(flagsOf(c.Flags), choices))
	}
	fmt.Fprintf(&b, "*) _arguments \\\n%s  %s ;;\nesac\n", zshFlags(flagsOf(app.Flags), choices), quote("1:command:(("+zshCommands(app)+"))"))
	return b.String()
}

func zshCommands(app *cli.App) string {
	var list []string
	for _, c := range visible(app) {
		list = append(list, c.Name+`\:"`+strings.ReplaceAll(plain(c.Usage), `"`, "")+`"`)
	}
	return strings.Join(list, " ")
}

func zshFlags(flags []flag, choices Choices) string {
	var b strings.Builder
	for _, f := range flags {
		spec := "*--" + f.name + "[" + plain(f.usage) + "]"
		switch {
		case len(choices[f.name]) > 0:
			spec += ":" + f.name + ":(" + strings.Join(choices[f.name], " ") + ")"
		case f.files:
			spec += ":" + f.name + ":_files"
		case f.value != "":
			spec += ":" + f.name + ":"
		}
		fmt.Fprintf(&b, "  %s \\\n", quote(spec))
	}
	return b.String()
}

// plain has no character that ends a description of zsh.
func plain(s string) string {
	return strings.NewReplacer("[", "(", "]", ")", ":", ";", `\`, "/").Replace(s)
}

// fish describes each flag where its command is on the line.
func fish(app *cli.App, choices Choices) string {
	var b strings.Builder
	all := strings.Join(names(app), " ")
	without := "not __fish_seen_subcommand_from " + all
	for _, c := range visible(app) {
		fmt.Fprintf(&b, "complete -c %s -n %s -a %s -d %s\n", app.Name, quote(without), c.Name, fishQuote(c.Usage))
	}
	fishFlags(&b, app.Name, without, flagsOf(app.Flags), choices)
	for _, c := range visible(app) {
		fishFlags(&b, app.Name, "__fish_seen_subcommand_from "+c.Name, flagsOf(c.Flags), choices)
	}
	return b.String()
}

func fishFlags(b *strings.Builder, program, condition string, flags []flag, choices Choices) {
	for _, f := range flags {
		fmt.Fprintf(b, "complete -c %s -n %s -l %s -d %s", program, quote(condition), f.name, fishQuote(f.usage))
		switch {
		case len(choices[f.name]) > 0:
			fmt.Fprintf(b, " -x -a %s", quote(strings.Join(choices[f.name], " ")))
		case f.files:
			b.WriteString(" -r -F")
		case f.value != "":
			b.WriteString(" -x")
		}
		b.WriteString("\n")
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// fishQuote is quote for fish, where a backslash counts between quotes.
func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
