package appmap

import (
	"archive/zip"
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// jarOf makes a jar: names and texts in turn.
func jarOf(t testing.TB, method uint16, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: members[i], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(members[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestManifestText(t *testing.T) {
	const text = "Manifest-Version: 1.0\r\n"
	many := make([]string, 0, 2*maxJarMembers+2)
	for range maxJarMembers {
		many = append(many, "a/b.class", "x")
	}
	for _, tt := range []struct {
		name string
		jar  []byte
		want string
	}{
		{"deflated", jarOf(t, zip.Deflate, "META-INF/MANIFEST.MF", text), text},
		{"behind others", jarOf(t, zip.Deflate, "META-INF/x", "y", "a.class", strings.Repeat("z", 4000), manifestName, text), text},
		{"behind too many", jarOf(t, zip.Deflate, append(many, manifestName, text)...), ""},
		{"too long", jarOf(t, zip.Deflate, manifestName, strings.Repeat("x", maxManifest+1)), strings.Repeat("x", maxManifest)},
		// Such a member does not tell its length before it ends.
		{"stored with a descriptor", jarOf(t, zip.Store, manifestName, text), ""},
		{"no manifest", jarOf(t, zip.Deflate, "a.class", "x"), ""},
		{"no archive", []byte("#!/bin/sh\nexec java\n"), ""},
		{"empty", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := manifestText(bufio.NewReader(bytes.NewReader(tt.jar))); string(got) != tt.want {
				t.Errorf("got %.80q, want %.80q", got, tt.want)
			}
		})
	}
}

func TestParseManifest(t *testing.T) {
	for _, tt := range []struct{ name, text, title, version string }{
		{"plain", "Manifest-Version: 1.0\r\nImplementation-Title: picard\r\nImplementation-Version: 2.27.5\r\n", "picard", "2.27.5"},
		{"folded", "Implementation-Title: The Genome\n  Analysis\n  Toolkit\nImplementation-Version: 4.3\n .0.0\n", "The Genome Analysis Toolkit", "4.3.0.0"},
		{"of a package", "Main-Class: a.B\n\nName: a/\nImplementation-Version: 7.1\n", "", ""},
		{"template", "Implementation-Title: ${project.name}\nImplementation-Version: ${project.version}\n", "", ""},
		{"not yet released", "Implementation-Title: x\nImplementation-Version: 1.2-SNAPSHOT\n", "x", ""},
		{"no version", "Implementation-Version: unspecified\n", "", ""},
		{"case and control characters", "implementation-TITLE: a\x1b[2Jb\nIMPLEMENTATION-version: v3.1\n", "a[2Jb", "3.1"},
		{"goes on before it began", " x\nImplementation-Version: 1.0\n", "", "1.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseManifest([]byte(tt.text)); got != (jarManifest{tt.title, tt.version}) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestJarsByTheirManifests(t *testing.T) {
	root := t.TempDir()
	manifest := func(title, version string) []byte {
		return jarOf(t, zip.Deflate, manifestName, "Implementation-Title: "+title+"\nImplementation-Version: "+version+"\n")
	}
	for name, jar := range map[string][]byte{
		"mesher.jar":    manifest("Flow Mesher", "4.7.2"),
		"picard.jar":    manifest("anything", "2.27.5"),
		"tool-1.2.jar":  manifest("Another", "9.9"),
		"untitled.jar":  jarOf(t, zip.Deflate, manifestName, "Implementation-Version: 3.0\n"),
		"silent.jar":    jarOf(t, zip.Deflate, manifestName, "Main-Class: a.B\n"),
		"titled.jar":    manifest("Titled", "unspecified"),
		"snakeyaml.txt": nil,
	} {
		if err := os.MkdirAll(filepath.Join(root, "home/u1"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "home/u1", name), jar, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := newMapper(t, Config{Root: root})
	for _, tt := range []struct{ jar, name, version string }{
		{"mesher.jar", "Flow Mesher", "4.7.2"},
		{"picard.jar", "Picard", "2.27.5"},
		{"tool-1.2.jar", "tool", "1.2"},
		{"untitled.jar", "untitled", "3.0"},
		{"silent.jar", "Java", ""},
		{"titled.jar", "Java", ""},
		{"absent.jar", "Java", ""},
	} {
		t.Run(tt.jar, func(t *testing.T) {
			p := process("/usr/bin/java", "java", "-jar", "/home/u1/"+tt.jar)
			if app := m.Identify(t.Context(), p); app.Name != tt.name || app.Version != tt.version {
				t.Errorf("got %+v, want %s %s", app, tt.name, tt.version)
			}
		})
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(jarOf(f, zip.Deflate, "META-INF/", "", manifestName, "Implementation-Version: 1.0\n"))
	f.Add(jarOf(f, zip.Store, manifestName, "Implementation-Title: x\n y\n"))
	f.Fuzz(func(t *testing.T, jar []byte) {
		text := manifestText(bufio.NewReader(bytes.NewReader(jar)))
		if len(text) > maxManifest {
			t.Errorf("%d bytes of manifest", len(text))
		}
		for _, text := range [][]byte{text, jar} {
			if m := parseManifest(text); len(m.title) > 128 || len(m.version) > maxVersion {
				t.Errorf("too long: %q", m)
			}
		}
	})
}
