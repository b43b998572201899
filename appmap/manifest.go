package appmap

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"path"
	"strings"
)

// A jar's manifest stands among its first members (Java Archive Specification,
// "JAR file index"), so that nobody needs the directory at its end.
const (
	manifestName    = "META-INF/MANIFEST.MF"
	maxJarHead      = 256 << 10 // bytes that are read of a jar
	maxJarMembers   = 8         // that are looked at
	maxManifest     = 64 << 10
	zipLocal        = 0x04034b50 // signature of a member (APPNOTE.TXT, 4.3.7)
	zipDescriptor   = 0x08074b50 // of what may follow it (4.3.9)
	zipLocalSize    = 30
	zipFollows      = 1 << 3 // a descriptor follows, and sizes stand in it
	zipStored       = 0
	zipDeflated     = 8
	descriptorBytes = 12 // without its signature, which is optional
)

// jarManifest is what a jar says of itself; what it doesn't say is empty.
type jarManifest struct{ title, version string }

// manifest reads the manifest of a jar.
func (l *lookup) manifest(file string) jarManifest {
	dir, name := path.Split(file)
	if dir = path.Clean(dir); l.foreign || !cleanPath(file) || !l.files.allowed(dir) {
		return jarManifest{}
	}
	jar, err := l.files.open(dir, name, maxProgram)
	if err != nil {
		return jarManifest{}
	}
	defer jar.Close()
	return parseManifest(manifestText(bufio.NewReader(io.LimitReader(jar, maxJarHead))))
}

// manifestText finds the manifest among the first members of a zip archive. It
// is nil where there is none, or none that can be read.
func manifestText(r *bufio.Reader) []byte {
	for range maxJarMembers {
		var head [zipLocalSize]byte
		if _, err := io.ReadFull(r, head[:]); err != nil || binary.LittleEndian.Uint32(head[:]) != zipLocal {
			return nil
		}
		flags, method := binary.LittleEndian.Uint16(head[6:]), binary.LittleEndian.Uint16(head[8:])
		size := int64(binary.LittleEndian.Uint32(head[18:]))
		name := make([]byte, binary.LittleEndian.Uint16(head[26:]))
		if _, err := io.ReadFull(r, name); err != nil {
			return nil
		}
		if _, err := r.Discard(int(binary.LittleEndian.Uint16(head[28:]))); err != nil {
			return nil
		}
		var body io.Reader
		switch {
		case method == zipStored && flags&zipFollows == 0:
			body = io.LimitReader(r, size)
		case method == zipDeflated: // it knows where it ends, and r gives it no byte more
			body = flate.NewReader(r)
		default:
			return nil
		}
		if string(name) == manifestName {
			text, _ := io.ReadAll(io.LimitReader(body, maxManifest)) // its beginning will do
			return text
		}
		if _, err := io.Copy(io.Discard, io.LimitReader(body, maxJarHead)); err != nil || !skipDescriptor(r, flags) {
			return nil
		}
	}
	return nil
}

func skipDescriptor(r *bufio.Reader, flags uint16) bool {
	if flags&zipFollows == 0 {
		return true
	}
	n := descriptorBytes
	if b, err := r.Peek(4); err == nil && binary.LittleEndian.Uint32(b) == zipDescriptor {
		n += 4
	}
	_, err := r.Discard(n)
	return err == nil
}

// parseManifest reads the main section of a manifest, whose lines go on in
// those that begin with a space.
func parseManifest(text []byte) jarManifest {
	var m jarManifest
	var to *string
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' {
			if to != nil {
				*to += string(line[1:])
			}
			continue
		}
		key, value, _ := strings.Cut(string(line), ":")
		to = nil
		switch strings.ToLower(key) {
		case "implementation-title":
			to = &m.title
		case "implementation-version":
			to = &m.version
		}
		if to != nil {
			*to = strings.TrimPrefix(value, " ")
		}
	}
	m.title = bounded(strings.TrimSpace(cleanText(m.title)), 128)
	if m.version = strings.TrimSpace(m.version); strings.HasSuffix(m.version, "-SNAPSHOT") {
		m.version = "" // on the way to a release that it is not
	}
	m.version = upstream(m.version)
	if strings.ContainsAny(m.title, "${}") { // a template that nobody filled in
		m.title = ""
	}
	return m
}
