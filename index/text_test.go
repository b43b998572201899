package index

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct{ name, args, want string }{
		{"none", "", ""},
		{"one", "ls\x00", "ls"},
		{"no NUL at the end", "ls\x00-l", "ls -l"},
		{"plain", "ls\x00--color=auto\x00/tmp/a,b:c@d%e+f\x00", "ls --color=auto /tmp/a,b:c@d%e+f"},
		{"space and quote", "a b\x00it's\x00", `'a b' 'it'\''s'`},
		{"empty ones", "\x00a\x00\x00", "'' a ''"},
		{"one empty", "\x00", "''"},
		{"an assignment is no command", "A=b\x00c=d\x00", "'A=b' c=d"},
		{"shell characters", "$HOME\x00`id`\x00;\x00a\nb\x00~\x00", "'$HOME' '`id`' ';' 'a\nb' '~'"},
		{"UTF-8", "grüße\x00", "'grüße'"},
		{"no UTF-8", "a\xff\xc3\x00", "'a\uFFFD\uFFFD'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, cut := commandLine(nil, []byte(tt.args))
			if diff := cmp.Diff(tt.want, string(got)); diff != "" || cut {
				t.Errorf("cut %v\n%s", cut, diff)
			}
		})
	}
	got, cut := commandLine(nil, bytes.Repeat([]byte("x"), maxCommand+1))
	if !cut || len(got) != maxCommand {
		t.Errorf("%d bytes, cut %v", len(got), cut)
	}
}

func TestClean(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "abc", "abc"},
		{"control characters stay", "a\n\x1b[0m", "a\n\x1b[0m"},
		{"NUL", "a\x00b", "a\uFFFDb"},
		{"each invalid byte", "a\xff\xfeb", "a\uFFFD\uFFFDb"},
		{"cut inside a character", strings.Repeat("x", maxText-3) + "😀", strings.Repeat("x", maxText-3) + "\uFFFD"},
		{"no room for what stands for a byte", strings.Repeat("x", maxText-1) + "ü", strings.Repeat("x", maxText-1)},
		{"all invalid", strings.Repeat("\xff", maxText), strings.Repeat("\uFFFD", maxText/3)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, clean(tt.in)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.want, clean(clean(tt.in))); diff != "" {
				t.Errorf("cleaned twice:\n%s", diff)
			}
		})
	}
}

// FuzzCommandLine: what a shell makes of the line are the arguments again.
func FuzzCommandLine(f *testing.F) {
	for _, s := range []string{"", "\x00", "ls\x00-l\x00", "a'b\x00\x00", "a\xff\x00ü\n", "A=b\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, args []byte) {
		line, cut := commandLine(nil, args)
		if !utf8.Valid(line) || bytes.IndexByte(line, 0) >= 0 {
			t.Fatalf("%q", line)
		}
		if cut || len(args) == 0 {
			return
		}
		var want []string
		for _, a := range strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00") {
			want = append(want, strings.Map(func(r rune) rune { return r }, a))
		}
		if diff := cmp.Diff(want, words(string(line))); diff != "" {
			t.Errorf("%q: %s", line, diff)
		}
	})
}

// words takes a line apart as sh does, as far as commandLine writes it.
func words(line string) (all []string) {
	var word strings.Builder
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'':
			quoted = !quoted
		case c == '\\' && !quoted:
			i++
			word.WriteByte(line[i])
		case c == ' ' && !quoted:
			all = append(all, word.String())
			word.Reset()
		default:
			word.WriteByte(c)
		}
	}
	return append(all, word.String())
}

func TestMemo(t *testing.T) {
	m := memo[int, int]{half: 10}
	for i := range 1000 {
		m.put(i, -i)
		if _, ok := m.get(0); !ok {
			t.Fatalf("an entry in use was forgotten at %d", i)
		}
		if n := len(m.new) + len(m.old); n > 20 {
			t.Fatalf("%d entries", n)
		}
	}
	if v, ok := m.get(999); !ok || v != -999 {
		t.Error(v, ok)
	}
	if _, ok := m.get(500); ok {
		t.Error("it grows without bound")
	}
	m.clear()
	if _, ok := m.get(999); ok {
		t.Error("not cleared")
	}
}
