package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReorder(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"flags only", "--by-user --limit 3", "--by-user --limit 3"},
		{"flag after argument", "job 12 --utc", "job --utc -- 12"},
		{"flags before the command", "--index x --utc job 12", "job --index x --utc -- 12"},
		{"value like a flag", "--sort -runs --by-user", "--sort -runs --by-user"},
		{"value like a command", "--user job --by-user", "--user job --by-user"},
		{"value after =", "job 12 --format=csv", "job --format=csv -- 12"},
		{"one dash", "job 12 -utc", "job -utc -- 12"},
		{"everything after --", "job --utc -- --index", "job --utc -- --index"},
		{"a dash alone", "job -", "job -- -"},
		{"help", "job --help", "job --help"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{}
			got, err := reorder(w.app(), append([]string{"procmon-report"}, strings.Fields(c.in)...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]string{"procmon-report"}, strings.Fields(c.want)...), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Whatever is typed, no word is lost or made up.
func FuzzReorder(f *testing.F) {
	f.Add("job\x0012\x00--utc")
	f.Add("--sort\x00-runs\x00--\x00--\x00-")
	f.Add("--user\x00job\x00coverage\x00-=-\x00---")
	f.Fuzz(func(t *testing.T, line string) {
		in := strings.Split(line, "\x00")
		w := &world{}
		out, err := reorder(w.app(), append([]string{"x"}, in...))
		if err != nil {
			return
		}
		count := func(words []string) map[string]int {
			n := map[string]int{}
			for _, word := range words {
				n[word]++
			}
			n["--"] = 0
			return n
		}
		if diff := cmp.Diff(count(in), count(out[1:])); diff != "" && slices.Index(in, "--") < 0 {
			t.Errorf("%q becomes %q", in, out)
		}
	})
}
