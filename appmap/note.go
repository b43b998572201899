package appmap

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"path"
	"strings"
)

// The note that distributions put into their programs: owner FDO, type
// 0xcafe1a7e, a JSON object (the UAPI group's "ELF Package Metadata").
const (
	noteOwner   = "FDO\x00"
	noteType    = 0xcafe1a7e
	maxNoteSize = 64 << 10
	maxSegments = 64
	maxProgram  = 1 << 40 // bytes; only headers and notes of it are read
)

// packageNote asks the program's own note for the package that it came in.
func (l *lookup) packageNote(file string) (finding, bool) {
	dir, name := path.Split(file)
	if dir = path.Clean(dir); !l.files.allowed(dir) {
		return finding{}, false
	}
	program, err := l.files.open(dir, name, maxProgram)
	if err != nil {
		return finding{}, false
	}
	defer program.Close()
	desc := elfNote(program)
	if desc == nil {
		return finding{}, false
	}
	return l.noteFinding(desc)
}

func (l *lookup) noteFinding(desc []byte) (finding, bool) {
	var note struct{ Type, Name, Version string }
	if json.Unmarshal(bytes.TrimRight(desc, "\x00"), &note) != nil {
		return finding{}, false
	}
	name, version := cleanWord(note.Name), cleanWord(note.Version)
	if name == "" {
		return finding{}, false
	}
	f := finding{name: name, version: version, pkg: name + " " + version, evidence: "note", entry: l.catalog.pkg(name)}
	switch note.Type {
	case "deb":
		f.version = debianUpstream(version)
	case "rpm":
		f.version, _, _ = strings.Cut(version, "-")
		if _, rest, ok := strings.Cut(f.version, ":"); ok {
			f.version = rest
		}
		f.version = rpmUpstream(f.version)
	}
	return f, true
}

// elfNote finds the package note among the note segments of a 64-bit ELF file
// (elf(5)).
func elfNote(r io.ReaderAt) []byte {
	var head [64]byte
	if _, err := r.ReadAt(head[:], 0); err != nil || string(head[:5]) != "\x7fELF\x02" {
		return nil
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[5] == 2 {
		order = binary.BigEndian
	}
	at, size, count := order.Uint64(head[32:]), order.Uint16(head[54:]), order.Uint16(head[56:])
	if at > maxProgram || size != 56 || count > maxSegments {
		return nil
	}
	table := make([]byte, int(size)*int(count))
	if _, err := r.ReadAt(table, int64(at)); err != nil {
		return nil
	}
	const ptNote = 4
	for ; len(table) >= 56; table = table[56:] {
		offset, length := order.Uint64(table[8:]), order.Uint64(table[32:])
		if order.Uint32(table) != ptNote || offset > maxProgram || length > maxNoteSize {
			continue
		}
		notes := make([]byte, length)
		if _, err := r.ReadAt(notes, int64(offset)); err != nil {
			continue
		}
		if desc := findNote(notes, order, int(order.Uint64(table[48:]))); desc != nil {
			return desc
		}
	}
	return nil
}

// findNote goes through the notes of one segment, which are padded to its
// alignment: four bytes, or eight.
func findNote(notes []byte, order binary.ByteOrder, align int) []byte {
	if align != 8 {
		align = 4
	}
	pad := func(n uint64) uint64 { return (n + uint64(align) - 1) / uint64(align) * uint64(align) }
	for len(notes) >= 12 {
		owner, size, kind := uint64(order.Uint32(notes)), uint64(order.Uint32(notes[4:])), order.Uint32(notes[8:])
		start := pad(12 + owner)
		if start > uint64(len(notes)) || size > uint64(len(notes))-start {
			return nil
		}
		if kind == noteType && string(notes[12:12+owner]) == noteOwner {
			return notes[start : start+size]
		}
		notes = notes[min(start+pad(size), uint64(len(notes))):]
	}
	return nil
}
