package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"procmon/report"
)

// reorder puts flags before arguments, and the command before both: the
// library ends its flags at the first argument, users don't. Everything after
// "--" is an argument. A flag that does not exist is an error here, where the
// nearest one can be named.
func reorder(app *cli.App, argv []string) ([]string, error) {
	takesValue := map[string]bool{"help": false, "h": false}
	note := func(flags []cli.Flag) {
		for _, f := range flags {
			_, boolean := f.(*cli.BoolFlag)
			for _, name := range f.Names() {
				takesValue[name] = !boolean
			}
		}
	}
	note(app.Flags)
	for _, c := range app.Commands {
		note(c.Flags)
	}

	var flags, args []string
	rest := argv[1:]
	for len(rest) > 0 {
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
		name, _, has := strings.Cut(strings.TrimPrefix(word[1:], "-"), "=")
		value, known := takesValue[name]
		if !known {
			return nil, unknownFlag(app, name)
		}
		flags = append(flags, word)
		if value && !has {
			if len(rest) == 0 {
				return nil, usagef("flag --%s needs a value", name)
			}
			flags = append(flags, rest[0])
			rest = rest[1:]
		}
	}

	out := []string{argv[0]}
	if len(args) > 0 && app.Command(args[0]) != nil {
		out, args = append(out, args[0]), args[1:]
	}
	out = append(out, flags...)
	if len(args) > 0 {
		out = append(append(out, "--"), args...)
	}
	return out, nil
}

func unknownFlag(app *cli.App, name string) error {
	var known []string
	for _, f := range app.Flags {
		for _, n := range f.Names() {
			if len(n) > 1 {
				known = append(known, n)
			}
		}
	}
	near := report.Nearest(name, known)
	if near == "" {
		return usagef("unknown flag --%s", name)
	}
	return usagef("unknown flag --%s, did you mean --%s?", name, near)
}
