package appmap

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"
)

// program makes an ELF file of one note segment.
func program(align uint64, notes ...[]byte) []byte {
	body := bytes.Join(notes, nil)
	b := make([]byte, 64+56, 64+56+len(body))
	copy(b, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	le.PutUint32(b[64:], 4)
	le.PutUint64(b[64+8:], 120)
	le.PutUint64(b[64+32:], uint64(len(body)))
	le.PutUint64(b[64+48:], align)
	return append(b, body...)
}

func note(owner string, kind uint32, desc string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(owner)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(desc)))
	b = binary.LittleEndian.AppendUint32(b, kind)
	for _, s := range []string{owner, desc} {
		b = append(b, s...)
		b = append(b, make([]byte, (4-len(s)%4)%4)...)
	}
	return b
}

func TestPackageNote(t *testing.T) {
	build := note("GNU\x00", 3, "0123456789abcdefghij")
	tests := map[string]struct{ data, want string }{
		"rpm":         {string(program(4, build, note(noteOwner, noteType, `{"type":"rpm","name":"gromacs-openmpi","version":"2023.1-2.fc38","architecture":"x86_64"}`))), "GROMACS 2023.1"},
		"deb":         {string(program(4, note(noteOwner, noteType, `{"type":"deb","name":"bwa","version":"1:0.7.17+dfsg-6"}`+"\x00"))), "BWA 0.7.17"},
		"no JSON":     {string(program(4, note(noteOwner, noteType, `{"type":`))), " "},
		"other owner": {string(program(4, note("XYZ\x00", noteType, `{"type":"rpm","name":"bwa","version":"1"}`))), " "},
		"cut":         {string(program(4, note(noteOwner, noteType, `{"type":"rpm","name":"bwa","version":"1-1"}`))[:150]), " "},
		"script":      {"#!/bin/sh\n", " "},
		"empty":       {"", " "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMapper(t, Config{Root: rootOf(t, map[string]string{"home/u/x/thing": tt.data})})
			got := m.Identify(context.Background(), process("/home/u/x/thing"))
			if have := got.Name + " " + got.Version; have != tt.want {
				t.Errorf("%q, want %q", have, tt.want)
			}
			if got.Name != "" && got.Evidence != "note" {
				t.Errorf("evidence %s", got.Evidence)
			}
		})
	}
}

func FuzzELFNote(f *testing.F) {
	f.Add(program(4, note(noteOwner, noteType, `{}`)))
	f.Add(program(8, note("a", 1, "b"), note(noteOwner, noteType, "x")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d := elfNote(bytes.NewReader(data)); len(d) > maxNoteSize {
			t.Errorf("%d bytes", len(d))
		}
	})
}

func TestEasyBuildFolder(t *testing.T) {
	eb := "easyblock = 'CMakeMake'\n\nname = 'GROMACS'\nversion = '2023.3'  # the newest\nsource_urls = ['x']\n"
	m := newMapper(t, Config{Root: rootOf(t, map[string]string{
		"data/x/tree/easybuild/GROMACS-2023.3-foss-2023a.eb":     eb,
		"data/x/tree/easybuild/easybuild-GROMACS-2023.3.log.bz2": "",
		"data/x/odd/easybuild/a.eb":                              "name = 'x' + y\nversion = '%(v)s'\n",
	})})
	got := m.Identify(context.Background(), process("/data/x/tree/bin/prog"))
	if got.Name != "GROMACS" || got.Version != "2023.3" || got.Package != "GROMACS-2023.3-foss-2023a" || got.Evidence != "easybuild" {
		t.Errorf("%+v", got)
	}
	if got := m.Identify(context.Background(), process("/data/x/odd/bin/prog")); got.Name != "" {
		t.Errorf("%+v", got)
	}
}

func FuzzEasyconfig(f *testing.F) {
	f.Add([]byte("name = 'a'\nversion = \"1\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []string{first(parseEasyconfig(data)), second(parseEasyconfig(data))} {
			if len(s) > 128 || strings.ContainsAny(s, " /\n\x00") {
				t.Errorf("%q", s)
			}
		}
	})
}

func first(a, _ string) string  { return a }
func second(_, b string) string { return b }
