package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"procmon/cmd/internal/manual"
)

// version is set by the build: -ldflags "-X main.version=…".
var version = "0.1.0-dev"

// Exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2 // wrong use or configuration
	exitNotPossible = 3 // not on this node
)

// errNotPossible says that this node lacks what the daemon needs.
var errNotPossible = errors.New("not possible on this node")

// errUsage says that the command line makes no sense.
var errUsage = errors.New("usage")

func main() { os.Exit(mainCode()) }

// mainCode is main, with an exit code for a result, so that tests can run it.
func mainCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := newApp(os.Stdin, os.Stdout, os.Stderr, os.LookupEnv).RunContext(ctx, os.Args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "procmond:", err)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errConfig), errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errNotPossible):
		return exitNotPossible
	}
	return exitFailed
}

const description = `procmond sees every program that users start on this node, says which batch
job and which application it was, sends JSON lines to syslog and keeps an index
that procmon-report reads.

Every setting is a key of the configuration file, a flag and an environment
variable of one name: [index] path = --index-path = PROCMON_INDEX_PATH. A flag
wins over the environment, that over the file, that over the default.
"procmond config" lists them all.

EXAMPLES
   procmond check                          can this node collect? what is missing?
   procmond check --load                   and does it record every program that is started?
   procmond                                collect until SIGTERM
   procmond --syslog-address - --index-path off
                                           JSON lines to standard output, no index
   procmond explain --pid 4711             which job and application is this, and why

EXIT STATUS
   0 done, 1 failed, 2 wrong use or configuration, 3 not possible on this node`

// newApp makes the command line. Nothing in it is global, so that tests run it.
func newApp(stdin io.Reader, stdout, stderr io.Writer, getenv func(string) (string, bool)) *cli.App {
	with := func(f func(*cli.Context, *loaded) error) cli.ActionFunc {
		return func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("%w: unknown command or argument %q; see procmond --help", errUsage, c.Args().First())
			}
			l, err := load(c, getenv)
			if err != nil {
				return err
			}
			return f(c, l)
		}
	}
	run := with(func(c *cli.Context, l *loaded) error { return runDaemon(c.Context, l.Settings, stderr) })
	app := &cli.App{
		Name: "procmond", Usage: "record what really runs on this node", Description: description, Version: version,
		Reader: stdin, Writer: stdout, ErrWriter: stderr, Flags: flags(), Action: run,
		HideHelpCommand: true,
		OnUsageError:    usageError,
		ExitErrHandler:  func(*cli.Context, error) {}, // main says it
		Commands: []*cli.Command{
			{Name: "run", Usage: "collect until SIGTERM (the default)", Action: run},
			{Name: "check", Usage: "say whether this node can collect, and how to mend it", Flags: checkFlags(), Description: checkDescription,
				Action: with(func(c *cli.Context, l *loaded) error {
					return runCheck(c.Context, l.Settings, c.Bool("load"), stdout, stderr)
				})},
			{Name: "explain", Usage: "say which job and application a process is, and why", Flags: explainFlags(),
				Description: explainDescription, Action: with(func(c *cli.Context, l *loaded) error {
					return runExplain(c, l.Settings, stdin, stdout)
				})},
			{Name: "config", Usage: "print the configuration in force, and where each value came from", Action: with(func(_ *cli.Context, l *loaded) error {
				return printConfig(stdout, l)
			})},
			{Name: "detach", Usage: "end what a stopped daemon left in the kernel to go on watching", Action: with(func(_ *cli.Context, l *loaded) error {
				said, err := detach(l.BPFPin)
				if err == nil {
					_, err = io.WriteString(stdout, said)
				}
				return err
			})},
			{Name: "flush", Usage: "ask the running daemon to write all that it has seen so far", Action: with(func(c *cli.Context, l *loaded) error {
				return ask(c.Context, l.Settings, "flush", stdout)
			})},
			{Name: "stats", Usage: "print the running daemon's figures", Action: with(func(c *cli.Context, l *loaded) error {
				return ask(c.Context, l.Settings, "stats", stdout)
			})},
			{Name: "reload", Usage: "ask the running daemon to read its application rules again", Action: with(func(c *cli.Context, l *loaded) error {
				return ask(c.Context, l.Settings, "reload", stdout)
			})},
		},
	}
	for _, c := range app.Commands {
		c.Flags = append(c.Flags, flags()...)
		c.OnUsageError = usageError
		c.HideHelpCommand = true
	}
	self := func() *cli.App { return app }
	wrong := func(why string) error { return fmt.Errorf("%w: %s", errUsage, why) }
	app.Commands = append(app.Commands, manual.Commands(self, stdout, manual.Choices{"source": {"auto", "bpf", "procconn"}}, wrong)...)
	return app
}

const checkDescription = `Each line says ok, warn or FAIL, and what to do. Nothing is changed.

With --load it also starts 10,000 short programs as user nobody, half of them one
after another and half of them from 16 shells at once, and says how many of them
were recorded with every field, what was lost, and what that cost. It takes some 10 to
20 seconds, and all CPUs. A running daemon records them, too, and is asked for them.`

func checkFlags() []cli.Flag {
	return []cli.Flag{&cli.BoolFlag{Name: "load", Usage: "start 10,000 programs and say what was recorded of them"}}
}

func usageError(_ *cli.Context, err error, _ bool) error {
	return fmt.Errorf("%w: %w; see procmond --help", errUsage, err)
}

// flags gives every setting its flag.
func flags() []cli.Flag {
	all := []cli.Flag{&cli.StringFlag{Name: "config", Usage: "configuration `FILE`", DefaultText: defaultFile}}
	for _, s := range defaults().table() {
		name, usage := flagName(s.key), s.usage
		if b, ok := s.value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
			all = append(all, &cli.BoolFlag{Name: name, Usage: usage})
			continue
		}
		all = append(all, &cli.StringFlag{Name: name, Usage: usage, DefaultText: s.value.String()})
	}
	return all
}

// printConfig writes the settings as a configuration file would have them.
func printConfig(w io.Writer, l *loaded) error {
	for _, s := range l.table() {
		origin := l.origin[s.key]
		if origin == "" {
			origin = "default"
		}
		if _, err := fmt.Fprintf(w, "%-22s = %-34q # %s\n", s.key, s.value.String(), origin); err != nil {
			return err
		}
	}
	return nil
}
