package appmap

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"
)

// header is the record that rpm 4.18 wrote to its database for a package
// built for this test: /usr/bin/bwa and /usr/libexec/bwa/helper.
func header(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/rpm/bwa.header")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParseRPMHeader(t *testing.T) {
	p, err := parseRPMHeader(header(t))
	if err != nil {
		t.Fatal(err)
	}
	if p.name != "bwa" || p.version != "0.7.17" || p.release != "9.el9" || p.source != "bwa" {
		t.Errorf("got %q %q %q %q", p.name, p.version, p.release, p.source)
	}
	for file, want := range map[string]bool{
		"/usr/bin/bwa": true, "/bin/bwa": true, "/usr/libexec/bwa/helper": true,
		"/usr/bin/helper": false, "/usr/libexec/bwa": true, "/opt/bin/bwa": false, "/usr/bin/bw": false,
	} {
		if p.files.has(file) != want {
			t.Errorf("has(%s) = %v", file, !want)
		}
	}
}

func TestBadRPMHeaders(t *testing.T) {
	good := header(t)
	change := func(at int, v uint32) []byte {
		b := append([]byte(nil), good...)
		binary.BigEndian.PutUint32(b[at:], v)
		return b
	}
	tests := []struct {
		name string
		blob []byte
	}{
		{"empty", nil},
		{"seven bytes", good[:7]},
		{"cut index", good[:40]},
		{"cut data", good[:len(good)-1]},
		{"too many entries", change(0, 1<<31)},
		{"too much data", change(4, 1<<31)},
		{"offset beyond the data", change(8+8, 1<<30)},
		{"no entries", []byte{0, 0, 0, 0, 0, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "offset beyond the data" {
				t.Log("any entry's offset is tested, wanted or not")
			}
			if p, err := parseRPMHeader(tt.blob); !errors.Is(err, errHeader) {
				t.Errorf("got %+v, %v", p.name, err)
			}
		})
	}
}

func TestSourceName(t *testing.T) {
	for in, want := range map[string]string{
		"bwa-0.7.17-9.el9.src.rpm":            "bwa",
		"python3.11-3.11.5-1.el9.src.rpm":     "python3.11",
		"gcc-toolset-12-gcc-12.2.1-7.src.rpm": "gcc-toolset-12-gcc",
		"x.src.rpm":                           "",
		"":                                    "",
	} {
		if got := sourceName(in); got != want {
			t.Errorf("sourceName(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzParseRPMHeader(f *testing.F) {
	f.Add(header(f))
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 3, 232, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1, 'x', 0})
	f.Fuzz(func(t *testing.T, blob []byte) {
		p, err := parseRPMHeader(blob)
		if err != nil && !errors.Is(err, errHeader) {
			t.Errorf("%v does not wrap errHeader", err)
		}
		p.files.has("/usr/bin/bwa")
	})
}
