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
	// Of --flag=value bash makes three words.
	b.WriteString("    if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n    COMPREPLY=()\n")
	fmt.Fprintf(&b, "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        case $word in\n        %s) command=$word; break ;;\n        esac\n    done\n",
		strings.Join(all, "|"))
	b.WriteString("    case $prev in\n")
	for _, f := range everyFlag(app) {
		switch {
		case len(choices[f.name]) > 0:
			fmt.Fprintf(&b, "    --%s) mapfile -t COMPREPLY < <(compgen -W %s -- \"$cur\"); return ;;\n", f.name, quote(strings.Join(choices[f.name], " ")))
		case f.files:
			fmt.Fprintf(&b, "    --%s) %s; return ;;\n", f.name, bashFiles)
		case f.value != "":
			fmt.Fprintf(&b, "    --%s) return ;;\n", f.name)
		}
	}
	b.WriteString("    esac\n    case $command in\n")
	for _, c := range visible(app) {
		words, files := arguments(c)
		fmt.Fprintf(&b, "    %s) words=%s", c.Name, quote(strings.Join(append(words, dashed(flagsOf(c.Flags))), " ")))
		if files {
			b.WriteString("; " + bashFiles)
		}
		b.WriteString(" ;;\n")
	}
	fmt.Fprintf(&b, "    *) words=%s ;;\n    esac\n", quote(strings.Join(all, " ")+" "+dashed(flagsOf(app.Flags))))
	fmt.Fprintf(&b, "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\ncomplete -F %s %s\n", shellName(app), app.Name)
	return b.String()
}

// bashFiles offers files where no word fits.
const bashFiles = "compopt -o default 2> /dev/null"

// arguments says what a command's arguments are: some words, files, or what nobody can complete.
func arguments(c *cli.Command) (words []string, files bool) {
	if strings.Contains(c.ArgsUsage, "|") {
		words = strings.Split(c.ArgsUsage, "|")
	}
	return words, strings.Contains(c.ArgsUsage, "FILE")
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
		fmt.Fprintf(&b, "%s) _arguments \\\n%s  '1:command:' %s ;;\n", c.Name, zshFlags(flagsOf(c.Flags), choices), quote("*:"+zshArguments(c)))
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

func zshArguments(c *cli.Command) string {
	words, files := arguments(c)
	switch {
	case files:
		return "file:_files"
	case len(words) > 0:
		return "argument:(" + strings.Join(words, " ") + ")"
	}
	return "argument:"
}

func zshFlags(flags []flag, choices Choices) string {
	var b strings.Builder
	for _, f := range flags {
		spec := "*--" + f.name + map[bool]string{true: "=", false: ""}[f.value != ""] + "[" + plain(f.usage) + "]"
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
	b.WriteString("  '--help[show help]' \\\n")
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
	fmt.Fprintf(&b, "complete -c %[1]s -f\ncomplete -c %[1]s -l help -d 'show help'\n", app.Name)
	for _, c := range visible(app) {
		fmt.Fprintf(&b, "complete -c %s -n %s -a %s -d %s\n", app.Name, quote(without), c.Name, fishQuote(c.Usage))
	}
	fishFlags(&b, app.Name, without, flagsOf(app.Flags), choices)
	for _, c := range visible(app) {
		here := "__fish_seen_subcommand_from " + c.Name
		switch words, files := arguments(c); {
		case files:
			fmt.Fprintf(&b, "complete -c %s -n %s -F\n", app.Name, quote(here))
		case len(words) > 0:
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n", app.Name, quote(here), quote(strings.Join(words, " ")))
		}
		fishFlags(&b, app.Name, here, flagsOf(c.Flags), choices)
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
