package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"procmon/report"
)

// reorder puts flags before arguments, and the command before both: the
// library ends its flags at the first argument, users don't. Everything after
// "--" is an argument. A flag that does not exist is an error here, where the
// nearest one can be named.
func reorder(app *cli.App, argv []string) ([]string, error) {
	known := takesValue(app)
	var flags, names, args []string
	values := map[string]string{}
	for rest := argv[1:]; len(rest) > 0; {
		word := rest[0]
		rest = rest[1:]
		if word == "--" {
			args = append(args, rest...)
			break
		}
		if len(word) < 2 || word[0] != '-' {
			args = append(args, word)
			continue
		}
		name, value, has := strings.Cut(strings.TrimPrefix(word[1:], "-"), "=")
		flags, names = append(flags, word), append(names, name)
		if !known[name] || has {
			values[name] = value
			continue
		}
		if len(rest) == 0 {
			return nil, usagef("flag --%s needs a value", name)
		}
		values[name] = rest[0]
		flags, rest = append(flags, rest[0]), rest[1:]
	}

	out, command := []string{argv[0]}, (*cli.Command)(nil)
	if len(args) > 0 {
		command = app.Command(args[0])
	}
	if command != nil {
		out, args = append(out, args[0]), args[1:]
	}
	if err := checkFlags(app, command, names); err != nil {
		return nil, err
	}
	if err := checkNumbers(app, command, values); err != nil {
		return nil, err
	}
	out = append(out, flags...)
	if len(args) > 0 {
		out = append(append(out, "--"), args...)
	}
	return out, nil
}

// takesValue says of every flag of the program whether it takes a value.
func takesValue(app *cli.App) map[string]bool {
	known := map[string]bool{}
	note := func(flags []cli.Flag) {
		for _, f := range flags {
			_, boolean := f.(*cli.BoolFlag)
			for _, name := range f.Names() {
				known[name] = !boolean
			}
		}
	}
	note(app.Flags)
	for _, c := range app.Commands {
		note(c.Flags)
	}
	return known
}

// checkNumbers says which flag has no number where it wants one: the library's words for it are
// those of its parser.
func checkNumbers(app *cli.App, command *cli.Command, values map[string]string) error {
	flags := app.Flags
	if command != nil {
		flags = command.Flags
	}
	for _, f := range flags {
		value, given := values[f.Names()[0]]
		if _, whole := f.(*cli.IntFlag); !whole || !given {
			continue
		}
		if _, err := strconv.Atoi(value); err != nil {
			return usagef("--%s %q is no number", f.Names()[0], value)
		}
	}
	return nil
}

// asked is what people write who want help: "help" and "help job" are "--help" and "job --help".
func asked(argv []string) []string {
	if len(argv) > 1 && argv[1] == "help" {
		return append(append([]string{argv[0]}, argv[2:]...), "--help")
	}
	return argv
}

// checkFlags says which flag is none of the command's; nil is the program itself.
func checkFlags(app *cli.App, command *cli.Command, names []string) error {
	flags, what := app.Flags, "procmon-report"
	known := []string{"help", "h", "version", "v"}
	if command != nil {
		flags, what, known = command.Flags, command.Name, known[:2]
	}
	for _, f := range flags {
		known = append(known, f.Names()...)
	}
	for _, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		if _, elsewhere := takesValue(app)[name]; elsewhere {
			return usagef("%s has no flag --%s", what, name)
		}
		if near := report.Nearest(name, known); near != "" {
			return usagef("unknown flag --%s, did you mean --%s?", name, near)
		}
		return usagef("unknown flag --%s", name)
	}
	return nil
}
