package render

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"plain":              "plain",
		"":                   "",
		"grün 日本 é":          "grün 日本 é",
		"a\nb\tc\rd":         `a\nb\tc\rd`,
		"\x1b[31mred":        `\x1b[31mred`,
		"\x9b31m":            `\x9b31m`, // a lone byte, C1 on old terminals
		"\u009b31m":          `\x9b31m`,
		"bad\xff\xfe":        `bad\xff\xfe`,
		"true \ufffd":        "true \ufffd",
		"\u202egnp.exe":      `\u202egnp.exe`,
		"zero\u200bwidth":    `zero\u200bwidth`,
		"\u2066x\u2069":      `\u2066x\u2069`,
		"line\u2028sep":      `line\u2028sep`,
		"nul\x00":            `nul\x00`,
		"tag\U000e0041":      `tag\U000e0041`,
		"nbsp\u00a0":         `nbsp\xa0`,
		"\x7f":               `\x7f`,
		"back\\slash stays ": "back\\slash stays ",
	} {
		if got := harmless(in); got != want {
			t.Errorf("harmless(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzHarmless(f *testing.F) {
	for _, s := range []string{"plain", "\x1b]0;title\x07", "bad\xff", "\u202e", "日本", "\ufffd", "e\u0301"} {
		f.Add(s, 5)
	}
	ignoreLocale()
	f.Fuzz(func(t *testing.T, s string, columns int) {
		safe := harmless(s)
		if !utf8.ValidString(safe) {
			t.Fatalf("%q is no UTF-8", safe)
		}
		for _, r := range safe {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) {
				t.Fatalf("%q holds %U", safe, r)
			}
		}
		if again := harmless(safe); again != safe && !strings.ContainsRune(s, utf8.RuneError) {
			t.Fatalf("%q becomes %q", safe, again)
		}
		if columns < 1 || columns > 1000 {
			return
		}
		for _, short := range []string{cut(safe, columns), cutLeft(safe, columns)} {
			if width(short) > columns || !utf8.ValidString(short) {
				t.Fatalf("%q cut to %d columns is %q", safe, columns, short)
			}
		}
	})
}

func TestCut(t *testing.T) {
	ignoreLocale()
	for _, c := range []struct {
		in          string
		columns     int
		right, left string
	}{
		{"abcdef", 6, "abcdef", "abcdef"},
		{"abcdef", 4, "abc…", "…def"},
		{"abcdef", 1, "…", "…"},
		{"日本語", 5, "日本…", "…本語"},
		{"日本語", 4, "日…", "…語"},
	} {
		if got := cut(c.in, c.columns); got != c.right {
			t.Errorf("cut(%q, %d) = %q, want %q", c.in, c.columns, got, c.right)
		}
		if got := cutLeft(c.in, c.columns); got != c.left {
			t.Errorf("cutLeft(%q, %d) = %q, want %q", c.in, c.columns, got, c.left)
		}
	}
}

func TestWidth(t *testing.T) {
	ignoreLocale()
	for in, want := range map[string]int{
		"": 0, "gmx": 3, "é": 1, "e\u0301": 1, "日本": 4, "ﾊﾝ": 2, "한글": 4, "…": 1, "\ufffd": 1, "🚀": 2, "\U00020000": 2,
	} {
		if got := width(in); got != want {
			t.Errorf("width(%q) = %d, want %d", in, got, want)
		}
	}
}

// The library reads the locale when a program starts, so this needs another one.
func TestLocaleChangesNothing(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(TestHostileText|TestZonesAndColour)$")
	cmd.Env = append(os.Environ(), "RUNEWIDTH_EASTASIAN=1", "LC_ALL=ja_JP.UTF-8", "NO_COLOR=1", "TERM=dumb")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v in an East Asian locale without colour:\n%s", err, out)
	}
}

func TestUnits(t *testing.T) {
	for in, want := range map[float64]string{
		0: "0 s", 0.0001: "1 ms", 0.25: "250 ms", 0.9996: "1.0 s", 59.94: "59.9 s", 59.96: "1.0 min", 90: "1.5 min", 3599: "1.0 h", 4320: "1.2 h", 3.6e7: "10000.0 h",
	} {
		if got := seconds(in); got != want {
			t.Errorf("seconds(%v) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 3650722202: "3.4 GiB", 1<<20 - 1: "1.0 MiB", 1 << 62: "4.0 EiB", -1: "-1 B",
	} {
		if got := byteSize(in); got != want {
			t.Errorf("byteSize(%d) = %q, want %q", in, got, want)
		}
	}
}
