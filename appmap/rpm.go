package appmap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strings"
)

// errHeader says that a blob is no RPM header.
var errHeader = errors.New("bad rpm header")

// Tags and types of RPM headers (rpm's lib/rpmtag.h, and rpm-format(5) of the
// header structure).
const (
	tagName        = 1000
	tagVersion     = 1001
	tagRelease     = 1002
	tagGroup       = 1016
	tagSourceRPM   = 1044
	tagDirIndexes  = 1116
	tagBaseNames   = 1117
	tagDirNames    = 1118
	rpmInt32       = 4
	rpmString      = 6
	rpmStringArray = 8
	rpmI18N        = 9

	maxRPMEntries = 1 << 16
	maxRPMData    = 64 << 20
	rpmEntrySize  = 16
)

// rpmPackage is an installed package, as far as naming needs it.
type rpmPackage struct {
	name, version, release, source, group string
	files                                 rpmFiles
}

// rpmFiles are the three parallel lists that make a package's paths.
type rpmFiles struct {
	bases, dirs [][]byte
	index       []byte // big-endian int32 a file
}

// has says whether the package lists a path, in either form of a merged /usr.
func (f *rpmFiles) has(file string) bool {
	name := []byte(path.Base(file))
	for i, b := range f.bases {
		if !bytes.Equal(b, name) || 4*i+4 > len(f.index) {
			continue
		}
		d := binary.BigEndian.Uint32(f.index[4*i:])
		if uint64(d) < uint64(len(f.dirs)) && mergedUsr(string(f.dirs[d])+string(b)) == mergedUsr(file) {
			return true
		}
	}
	return false
}

// parseRPMHeader reads a header as the Packages table keeps it: two counts,
// an index of 16-byte entries, and the data that they point into.
func parseRPMHeader(blob []byte) (rpmPackage, error) {
	if len(blob) < 8 {
		return rpmPackage{}, fmt.Errorf("%w: %d bytes", errHeader, len(blob))
	}
	entries, size := binary.BigEndian.Uint32(blob), binary.BigEndian.Uint32(blob[4:])
	if entries > maxRPMEntries || size > maxRPMData || uint64(len(blob)) < 8+rpmEntrySize*uint64(entries)+uint64(size) {
		return rpmPackage{}, fmt.Errorf("%w: %d entries and %d bytes in %d", errHeader, entries, size, len(blob))
	}
	index := blob[8 : 8+rpmEntrySize*entries]
	data := blob[8+rpmEntrySize*entries:][:size]
	var p rpmPackage
	for ; len(index) > 0; index = index[rpmEntrySize:] {
		if err := p.take(index[:rpmEntrySize], data); err != nil {
			return rpmPackage{}, err
		}
	}
	if p.name == "" {
		return rpmPackage{}, fmt.Errorf("%w: no name", errHeader)
	}
	return p, nil
}

// take reads one index entry: tag, type, offset, count.
func (p *rpmPackage) take(e, data []byte) error {
	tag, kind := binary.BigEndian.Uint32(e), binary.BigEndian.Uint32(e[4:])
	offset, count := binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])
	if uint64(offset) > uint64(len(data)) {
		return fmt.Errorf("%w: tag %d at %d of %d", errHeader, tag, offset, len(data))
	}
	data = data[offset:]
	switch tag {
	case tagName, tagVersion, tagRelease, tagGroup, tagSourceRPM:
		if kind == rpmString || kind == rpmI18N {
			p.setText(tag, cleanWord(cString(data)))
		}
	case tagDirIndexes:
		if kind == rpmInt32 {
			p.files.index = data[:min(uint64(len(data)), 4*uint64(count))]
		}
	case tagBaseNames, tagDirNames:
		if kind == rpmStringArray {
			p.setList(tag, data, count)
		}
	}
	return nil
}

func (p *rpmPackage) setText(tag uint32, s string) {
	switch tag {
	case tagName:
		p.name = s
	case tagVersion:
		p.version = s
	case tagRelease:
		p.release = s
	case tagGroup:
		p.group = s
	case tagSourceRPM:
		p.source = sourceName(s)
	}
}

func (p *rpmPackage) setList(tag uint32, data []byte, count uint32) {
	var list [][]byte
	for range count {
		s, rest, ok := bytes.Cut(data, []byte{0})
		if !ok {
			break
		}
		list, data = append(list, s), rest
	}
	if tag == tagBaseNames {
		p.files.bases = list
	} else {
		p.files.dirs = list
	}
}

func cString(data []byte) string {
	s, _, _ := bytes.Cut(data, []byte{0})
	return string(s)
}

// sourceName takes the name of "bwa-0.7.17-9.el9.src.rpm".
func sourceName(file string) string {
	s := strings.TrimSuffix(file, ".src.rpm")
	for range 2 {
		i := strings.LastIndexByte(s, '-')
		if i <= 0 {
			return ""
		}
		s = s[:i]
	}
	return s
}
