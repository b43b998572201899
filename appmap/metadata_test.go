package appmap

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"procmon"
)

func TestParseSpackSpec(t *testing.T) {
	tests := []struct{ name, data, pkg, version string }{
		{"nodes", `{"spec":{"_meta":{"version":4},"nodes":[{"name":"octave","version":"8.2.0","arch":{}},{"name":"zlib","version":"1"}]}}`, "octave", "8.2.0"},
		{"first form", `{"spec":[{"elmer":{"version":"9.0","arch":{}}},{"zlib":{"version":"1"}}]}`, "elmer", "9.0"},
		{"version is a number", `{"spec":{"nodes":[{"name":"x","version":3}]}}`, "x", ""},
		{"name with a slash", `{"spec":{"nodes":[{"name":"../x","version":"3"}]}}`, "", "3"},
		{"no nodes", `{"spec":{"nodes":[]}}`, "", ""},
		{"no JSON", `spec`, "", ""},
		{"empty", ``, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, version := parseSpackSpec([]byte(tt.data))
			if name != tt.pkg || version != tt.version {
				t.Errorf("got %q %q, want %q %q", name, version, tt.pkg, tt.version)
			}
		})
	}
}

func TestParseCondaMeta(t *testing.T) {
	good := `{"build":"h0_0","files":["bin/fastp","share/x"],"name":"fastp","version":"0.23.4"}`
	if r, ok := parseCondaMeta([]byte(good), "bin/fastp"); !ok || r.Name != "fastp" || r.Version != "0.23.4" {
		t.Errorf("got %+v %v", r, ok)
	}
	for _, bad := range []string{good[:20], `{"name":"x","files":["bin/fas"]}`, `{"files":["bin/fastp"]}`, `[]`, ``} {
		if r, ok := parseCondaMeta([]byte(bad), "bin/fastp"); ok {
			t.Errorf("%s gives %+v", bad, r)
		}
	}
}

func TestRecordLists(t *testing.T) {
	record := "../../../bin/multiqc,sha256=x,220\r\nmultiqc/__init__.py,,\n\"odd,name.py\",sha256=x,1\nlast/line.py"
	for rel, want := range map[string]bool{
		"../../../bin/multiqc": true, "multiqc/__init__.py": true, "odd,name.py": true, "last/line.py": true,
		"multiqc": false, "bin/multiqc": false, "": false,
	} {
		if recordLists([]byte(record), rel) != want {
			t.Errorf("recordLists(%q) = %v", rel, !want)
		}
	}
}

func TestParseMetadata(t *testing.T) {
	name, version := parseMetadata([]byte("Metadata-Version: 2.1\r\nname: deeptools\r\nVersion: 3.5.5\r\n\r\nName: other\n"))
	if name != "deeptools" || version != "3.5.5" {
		t.Errorf("got %q %q", name, version)
	}
	if name, _ := parseMetadata([]byte("Name: a b\n")); name != "" {
		t.Errorf("a name with a space: %q", name)
	}
}

func TestRelativeTo(t *testing.T) {
	tests := []struct{ dir, file, want string }{
		{"/v/lib/python3.11/site-packages", "/v/bin/x", "../../../bin/x"},
		{"/v/site-packages", "/v/site-packages/a/b.py", "a/b.py"},
	}
	for _, tt := range tests {
		if got, ok := relativeTo(tt.dir, tt.file); !ok || got != tt.want {
			t.Errorf("relativeTo(%q, %q) = %q", tt.dir, tt.file, got)
		}
	}
	if got, ok := relativeTo("/a/b/c/d/e/f/g/h", "/x"); ok {
		t.Errorf("a far file is %q", got)
	}
}

func TestPrefixes(t *testing.T) {
	got := prefixes("/apps/x/lib/python3.11/site-packages/bin/tool")
	want := []string{"/apps/x/lib/python3.11/site-packages", "/apps/x"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := len(prefixes(strings.Repeat("/bin", 100) + "/x")); n != 6 {
		t.Errorf("%d prefixes of a deep path", n)
	}
}

// TestBigEnvironment: the package of a program is found among many whatever
// its name, and the search ends with its context.
func TestBigEnvironment(t *testing.T) {
	const env = "/opt/conda/envs/big"
	files := map[string]string{}
	for i := range 500 {
		files[fmt.Sprintf("%s/conda-meta/pkg%d-1.%d-0.json", env, i, i)] = fmt.Sprintf(`{"name":"pkg%d","version":"1.%d","files":["bin/tool%d"]}`, i, i, i)
	}
	root := rootOf(t, files)
	got := newMapper(t, Config{Root: root}).Identify(context.Background(), &procmon.Process{Exe: env + "/bin/tool321"})
	if got.Name != "pkg321" || got.Version != "1.321" || got.Evidence != "conda" {
		t.Errorf("got %+v", got)
	}
	m := newMapper(t, Config{Root: root})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := m.Identify(ctx, &procmon.Process{Exe: env + "/bin/tool322"}); got.Name != "" {
		t.Errorf("after the context's end: %+v", got)
	}
	if got := m.Identify(context.Background(), &procmon.Process{Exe: env + "/bin/tool322"}); got.Name != "pkg322" {
		t.Errorf("an answer cut short was remembered: %+v", got)
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"spec":{"nodes":[{"name":"octave","version":"8.2.0"}]}}`))
	f.Add([]byte(`{"spec":[{"elmer":{"version":"9.0"}}]}`))
	f.Add([]byte(`{"files":["bin/fastp"],"name":"fastp","version":"0.23.4"}`))
	f.Add([]byte("Name: deeptools\nVersion: 3.5.5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := parseSpackSpec(data)
		c, d := parseMetadata(data)
		r, _ := parseCondaMeta(data, "bin/fastp")
		for _, s := range []string{a, b, c, d, r.Name, r.Version} {
			if len(s) > 128 || strings.ContainsAny(s, "\n\x00/ ") {
				t.Errorf("%q is no word", s)
			}
		}
		recordLists(data, "bin/fastp")
	})
}
