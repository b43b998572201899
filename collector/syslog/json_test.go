package syslog

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestAppendText(t *testing.T) {
	tests := []struct {
		name, in string
		limit    int
		want     string
		n        int
	}{
		{"plain", "abc", 10, "abc", 3},
		{"quotes", `a"\`, 10, `a\"\\`, 3},
		{"white space", "\t\r\n", 10, `\t\r\n`, 3},
		{"control", "\x00\x1b[31m\x7f", 30, `\u0000\u001b[31m\u007f`, 7},
		{"C1 control", "\u0085\u009b", 20, `\u0085\u009b`, 4},
		{"line separators", "\u2028\u2029", 20, `\u2028\u2029`, 6},
		{"letters", "é漢😀", 20, "é漢😀", 9},
		{"each invalid byte", "a\xff\xfeb", 20, "a\ufffd\ufffdb", 4},
		{"surrogate", "\xed\xa0\x80", 20, "\ufffd\ufffd\ufffd", 3},
		{"overlong", "\xc0\xaf", 20, "\ufffd\ufffd", 2},
		{"half a character at the end", "a\xe6\xbc", 20, "a\ufffd\ufffd", 3},
		{"exact fit", "abc", 3, "abc", 3},
		{"cut", "abc", 2, "ab", 2},
		{"no half escape", "a\n", 2, "a", 1},
		{"no half character", "a漢", 3, "a", 1},
		{"no room", "a", 0, "", 0},
		{"less than none", "a\n", -5, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, n := appendText([]byte("x"), tt.in, tt.limit)
			if string(got) != "x"+tt.want || n != tt.n {
				t.Errorf("%q, %d; want %q, %d", got[1:], n, tt.want, tt.n)
			}
			if b, m := appendText(nil, []byte(tt.in), tt.limit); string(b) != tt.want || m != tt.n {
				t.Errorf("of bytes: %q, %d", b, m)
			}
		})
	}
}

func TestWriter(t *testing.T) {
	w := writer{cap: 8}
	o := w.open("", '{')
	w.str("empty", "")
	w.str("short", "12345678")
	w.str("long", "123456789")
	e := w.open("gone", '{')
	w.close(w.open("too", '['))
	w.close(e)
	w.strs("none")
	w.strs("two", "a", "")
	w.int("n", -1)
	w.uint("u", 1<<64-1)
	w.id("id", 7)
	w.yes("no", false)
	w.yes("yes", true)
	w.time("zero", time.Time{})
	w.time("far", time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC))
	w.time("at", time.Date(2026, 1, 2, 3, 4, 5, 999, time.FixedZone("", 3600)))
	w.close(o)
	want := `{"short":"12345678","long":"12345…","two":["a",""],"n":-1,"u":18446744073709551615,"id":"7","yes":true,"at":"2026-01-02T02:04:05.000000Z"}`
	if string(w.b) != want {
		t.Errorf("got  %s\nwant %s", w.b, want)
	}
}

func FuzzText(f *testing.F) {
	f.Add("plain", 10)
	f.Add("\x00\x1b[2J\xff\u2028\"\\", 7)
	f.Add("漢\xe6\xbc", 4)
	f.Fuzz(func(t *testing.T, in string, limit int) {
		limit %= 1 << 16
		got, n := appendText(nil, in, limit)
		if len(got) > max(0, limit) || n < 0 || n > len(in) {
			t.Fatalf("%d bytes for %d of %d, limit %d", len(got), n, len(in), limit)
		}
		decode(t, []byte(`{"a":"`+string(got)+`"}`))
		var s string
		if err := json.Unmarshal([]byte(`"`+string(got)+`"`), &s); err != nil || s != valid(in[:n]) {
			t.Fatalf("%v: %q came back as %q", err, in[:n], s)
		}
		if n < len(in) && len(got)+6 <= limit {
			t.Fatalf("cut at %d of %d with room for more", len(got), limit)
		}
	})
}

// valid is s with U+FFFD for each byte that is not UTF-8.
func valid(s string) string { return string([]rune(s)) }

func TestProcessName(t *testing.T) {
	tests := []struct{ comm, exe, want string }{
		{"gmx", "/bin/gmx", "gmx"},
		{"slurm_script", "/usr/bin/bash", "slurm_script"},
		{"a-very-long-nam", "/bin/a-very-long-name", "a-very-long-name"},
		{"a-very-long-nam", "/bin/another", "a-very-long-nam"},
		{"", "/bin/x", "x"},
		{"", "", ""},
	}
	for _, tt := range tests {
		if got := processName(tt.comm, tt.exe); got != tt.want {
			t.Errorf("processName(%q, %q) = %q, want %q", tt.comm, tt.exe, got, tt.want)
		}
	}
}

func TestQuote(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "''"}, {"a", "a"}, {"--x=1,2:/b@c%d+e_f.g", "--x=1,2:/b@c%d+e_f.g"},
		{"a b", "'a b'"}, {"it's", `'it'\''s'`}, {"$HOME", "'$HOME'"}, {"~", "'~'"}, {"é", "'é'"}, {"a\nb", "'a\nb'"},
	}
	for _, tt := range tests {
		if got := string(appendQuoted(nil, []byte(tt.in))); got != tt.want {
			t.Errorf("quoted %q is %q, want %q", tt.in, got, tt.want)
		}
	}
	if got := string(quoteArgs(nil, []byte("a\x00b c\x00\x00"), 100)); got != "a 'b c' ''" {
		t.Errorf("quoteArgs: %q", got)
	}
	if got := quoteArgs(nil, []byte(strings.Repeat("a\x00", 1000)), 100); len(got) > 110 {
		t.Errorf("quoteArgs made %d bytes for 100", len(got))
	}
}
