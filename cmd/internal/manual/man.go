package manual

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// man is a manual page of section 8, in the macros of man(7).
func man(app *cli.App) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 8\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", strings.ToUpper(roff(app.Name)), roff(app.Name), roff(app.Usage))
	for line := range strings.Lines(synopsis(app)) {
		fmt.Fprintf(&b, ".nf\n%s\n.fi\n", roff(strings.TrimSpace(line)))
	}
	text, sections := sectionsOf(app.Description)
	b.WriteString(".SH DESCRIPTION\n")
	prose(&b, text)
	b.WriteString(".SH OPTIONS\n")
	options(&b, flagsOf(app.Flags))
	if list := visible(app); len(list) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, c := range list {
			command(&b, app, c)
		}
	}
	for _, s := range sections {
		fmt.Fprintf(&b, ".SH %s\n", roff(s.title))
		prose(&b, s.text)
	}
	return b.String()
}

func synopsis(app *cli.App) string {
	if app.UsageText != "" {
		return app.UsageText
	}
	return app.Name + " [COMMAND] [flags]"
}

// command is a command's part of the page. Flags that the program has too are
// told there.
func command(b *strings.Builder, app *cli.App, c *cli.Command) {
	fmt.Fprintf(b, ".SS %s %s %s\n%s.\n", roff(app.Name), roff(c.Name), roff(c.ArgsUsage), roff(c.Usage))
	text, sections := sectionsOf(c.Description)
	if text != "" {
		b.WriteString(".PP\n")
		prose(b, text)
	}
	common := flagsOf(app.Flags)
	own := slices.DeleteFunc(flagsOf(c.Flags), func(f flag) bool { return slices.Contains(common, f) })
	options(b, own)
	for _, s := range sections {
		fmt.Fprintf(b, ".PP\n\\fI%s\\fR\n.br\n", roff(s.title))
		prose(b, s.text)
	}
}

func options(b *strings.Builder, flags []flag) {
	for _, f := range flags {
		b.WriteString(".TP\n\\fB\\-\\-" + roff(f.name) + "\\fR")
		if f.value != "" {
			b.WriteString(" \\fI" + roff(f.value) + "\\fR")
		}
		b.WriteString("\n" + roff(f.usage) + "\n")
	}
}

// section is a part of a description under a title in capitals.
type section struct{ title, text string }

// sectionsOf takes a description apart at lines such as "EXAMPLES:".
func sectionsOf(description string) (text string, sections []section) {
	for line := range strings.Lines(description) {
		title, ok := strings.CutSuffix(strings.TrimRight(line, "\n"), ":")
		if ok && title != "" && strings.Trim(title, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ") == "" {
			sections = append(sections, section{title: title})
			continue
		}
		if len(sections) > 0 {
			sections[len(sections)-1].text += line
		} else {
			text += line
		}
	}
	return text, sections
}

// prose is text: what is indented stays as it is, the rest is filled.
func prose(b *strings.Builder, text string) {
	verbatim := false
	for line := range strings.Lines(strings.Trim(text, "\n")) {
		line = strings.TrimRight(line, "\n ")
		indented := strings.HasPrefix(line, "   ")
		switch {
		case line == "":
			if !verbatim {
				b.WriteString(".PP\n")
			} else {
				b.WriteString("\n")
			}
			continue
		case indented && !verbatim:
			b.WriteString(".nf\n")
		case !indented && verbatim:
			b.WriteString(".fi\n")
		}
		verbatim = indented
		b.WriteString(roff(line) + "\n")
	}
	if verbatim {
		b.WriteString(".fi\n")
	}
}

// roff makes text stand for itself: no request at its beginning, no escape in it.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\&...`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
