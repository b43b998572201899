package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"procmon/jobmap"
)

// text is an answer in lines. What users made of it is quoted where a terminal
// would take it for more than text.
func (a *explained) text() string {
	var b strings.Builder
	b.WriteString("application: " + words(firstOf(a.Application, "unknown"), a.Version, "("+a.Kind+")", printable(a.Package)) + "\n")
	for _, e := range a.Evidence {
		b.WriteString(words("  "+e.Kind+":", printable(e.Name), printable(e.Version), printable(e.Package)) + "\n")
	}
	for _, c := range a.Considered {
		b.WriteString(words("  "+c.Evidence+":", printable(c.Application), printable(c.Version), "(lost: "+printable(c.Why)+")") + "\n")
	}
	a.Job.write(&b)
	if len(a.trail) > 0 {
		b.WriteString("evidence of the job, best first:\n")
	}
	for _, s := range a.trail {
		writeStep(&b, &s)
	}
	return b.String()
}

// write writes the job, what is known of it, and by what.
func (j *jobAnswer) write(b *strings.Builder) {
	if j == nil || j.RawID == "" && j.SLUID == "" {
		b.WriteString("job: none\n")
	} else {
		b.WriteString("job: " + words(firstOf(j.ID, j.SLUID), "of", j.Scheduler+", by", j.Evidence) + "\n")
	}
	if j == nil {
		return
	}
	owner := j.User
	if j.UID != nil {
		owner = words(owner, "uid "+strconv.FormatUint(uint64(*j.UID), 10))
	}
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, f := range [...][2]string{
		{"raw_id", j.RawID}, {"cluster", j.Cluster}, {"step_id", j.Step}, {"task_id", j.Task},
		{"user", owner}, {"account", j.Account}, {"partition", j.Partition}, {"name", j.Name},
	} {
		if f[1] != "" {
			fmt.Fprintf(table, "  %s\t%s\tby %s\n", f[0], printable(f[1]), firstOf(j.By[f[0]], "nothing"))
		}
	}
	_ = table.Flush() // to memory
	if j.Conflict != "" {
		b.WriteString("  but " + printable(j.Conflict) + "\n")
	}
}

func writeStep(b *strings.Builder, s *jobmap.Step) {
	const indent = "\n                      "
	fmt.Fprintf(b, "  %-8s  %-8s  %s", s.Verdict, s.Rung, printable(s.Evidence))
	if s.Says != "" {
		b.WriteString(indent + "says " + printable(s.Says))
	}
	if s.Why != "" {
		b.WriteString(indent + printable(s.Why))
	}
	b.WriteString("\n")
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// words joins what is not empty.
func words(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// printable quotes text that holds more than what can be shown.
func printable(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	return strconv.Quote(s)
}
