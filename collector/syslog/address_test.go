package syslog

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseAddress(t *testing.T) {
	good := map[string]address{
		"auto": {"auto", ""}, "-": {"-", ""}, "unix:/dev/log": {"unix", "/dev/log"}, "file:/var/log/a b:c": {"file", "/var/log/a b:c"},
		"udp:h:514": {"udp", "h:514"}, "tcp:10.0.0.1:1": {"tcp", "10.0.0.1:1"}, "tls:[::1]:6514": {"tls", "[::1]:6514"},
	}
	for in, want := range good {
		if got, err := parseAddress(in); err != nil || got != want || got.String() != in {
			t.Errorf("%q gives %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "off", "AUTO", "unix:", "unix:log", "file:", "file:./a", "udp:h", "tcp::514", "tcp:h:", "tcp:h:0", "tcp:h:65536", "tcp:h:syslog", "tls:::1:6514", "http:h:1", "/dev/log"} {
		if got, err := parseAddress(in); !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), `"`+in+`"`) {
			t.Errorf("%q gives %+v, %v", in, got, err)
		}
	}
}

func FuzzAddress(f *testing.F) {
	f.Add("tcp:[::1]:514")
	f.Add("unix:/run/a")
	f.Fuzz(func(t *testing.T, in string) {
		if a, err := parseAddress(in); err == nil && a.String() != in {
			t.Errorf("%q became %q", in, a)
		} else if err != nil && !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", in, err)
		}
	})
}

func TestDefaults(t *testing.T) {
	for in, want := range map[string]int{
		"unix:" + OwnSocket: ownLine, "unix:/dev/log": foreignLine, "auto": foreignLine, "udp:h:1": foreignLine,
		"tcp:h:1": foreignLine, "tls:h:1": foreignLine, "file:/f": ownLine, "-": ownLine,
	} {
		a, err := parseAddress(in)
		if err != nil {
			t.Fatal(err)
		}
		o, err := Options{}.withDefaults(a)
		if err != nil || o.MaxBytes != want || o.Schema != SchemaECS || o.SpoolMax != defaultSpool {
			t.Errorf("%s: %+v, %v", in, o, err)
		}
	}
}

func TestBadOptions(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		want error
		text string
	}{
		{"address", Options{Address: "tcp:h"}, ErrAddress, `tcp:HOST:PORT`},
		{"schema", Options{Address: "-", Schema: "xml"}, ErrOption, `"xml": use ecs or classic`},
		{"short lines", Options{Address: "-", MaxBytes: 100}, ErrOption, "max_bytes 100: use 3072 to"},
		{"lines no datagram holds", Options{Address: "unix:/x", MaxBytes: 1 << 20}, ErrOption, "use 3072 to 131072 for unix:/x"},
		{"by UDP", Options{Address: "udp:h:1", MaxBytes: 70_000}, ErrOption, "65507"},
		{"spool", Options{Address: "-", SpoolMax: 1}, ErrOption, "use 4096 or more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Open(context.Background(), tt.o)
			if s != nil || !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := Open(context.Background(), Options{Address: "file:" + filepath.Join(t.TempDir(), "no", "dir")}); err == nil {
		t.Error("a file that can't be opened is no error")
	}
}

func TestFraming(t *testing.T) {
	now := time.Date(2026, 11, 2, 8, 24, 52, 123456789, time.Local)
	utc := now.UTC().Format("2006-01-02T15:04:05.000000Z")
	line := `{"a":"é"}`
	tests := []struct{ kind, host, want string }{
		{"file", "n1", line + "\n"},
		{"-", "n1", line + "\n"},
		{"unix", "n1", "<14>Nov  2 08:24:52 procmon: @cee: " + line},
		{"auto", "n1", "<14>Nov  2 08:24:52 procmon: @cee: " + line},
		{"udp", "n1", "<14>1 " + utc + " n1 procmon - - - @cee: " + line},
		{"udp", "", "<14>1 " + utc + " - procmon - - - @cee: " + line},
		{"tcp", "n 1\n<14>\u00e9", "71 <14>1 " + utc + " n1<14> procmon - - - @cee: " + line},
		{"tls", "n1", "67 <14>1 " + utc + " n1 procmon - - - @cee: " + line},
	}
	for _, tt := range tests {
		f := newFraming(address{kind: tt.kind}, tt.host)
		got := string(f.append([]byte("x"), []byte(line), now))
		if got != "x"+tt.want {
			t.Errorf("%s: got  %q\nwant %q", tt.kind, got[1:], tt.want)
		}
		if n := len(strings.TrimSuffix(tt.want, "\n")) - len(line); n > f.overhead() {
			t.Errorf("%s: %d bytes of header, overhead says %d", tt.kind, n, f.overhead())
		}
	}
	if f := newFraming(address{kind: "tcp"}, strings.Repeat("h", 1000)); len(f.host) != maxHost {
		t.Errorf("host of %d bytes", len(f.host))
	}
}
