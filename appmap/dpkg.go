package appmap

import (
	"bytes"
	"context"
	"os"
	"strings"
)

// Where dpkg keeps its database, below the root (dpkg(1), FILES).
const (
	dpkgDir    = "/var/lib/dpkg"
	dpkgStatus = "status"
)

// Bounds of the dpkg database: a node with 5,000 packages and a million files
// is far inside of them.
const (
	maxStatus    = 256 << 20 // bytes
	maxList      = 32 << 20  // bytes of one package's list
	maxListPaths = 2 << 20   // paths kept, 16 bytes each
)

// debPackage is an installed package, as far as naming needs it.
type debPackage struct {
	name, source, version, arch string
	section, priority           string
}

// dpkg answers which package a file belongs to, from an index in memory. It
// is built at the first question, and again when the status file was changed.
type dpkg struct {
	files *files
	busy  chan struct{} // one token: who holds it may use what follows
	stamp os.FileInfo   // of the status file
	paths pathIndex
	pkgs  []debPackage
}

func newDpkg(f *files) *dpkg {
	return &dpkg{files: f, busy: make(chan struct{}, 1), paths: newPathIndex()}
}

// owner finds the package that lists a file. The first caller reads the
// database; others wait for it as long as their context lasts.
func (d *dpkg) owner(ctx context.Context, file string) (debPackage, bool) {
	select {
	case d.busy <- struct{}{}:
		defer func() { <-d.busy }()
	case <-ctx.Done():
		return debPackage{}, false
	}
	d.refresh()
	i, ok := d.paths.find(mergedUsr(file))
	if !ok {
		return debPackage{}, false
	}
	return d.pkgs[i], true
}

// refresh reads the database again if it was changed. A database that can't
// be read is an empty one.
func (d *dpkg) refresh() {
	now, err := d.files.stat(dpkgDir, dpkgStatus)
	if err != nil {
		d.stamp, d.paths.refs, d.pkgs = nil, nil, nil
		return
	}
	if unchanged(now, d.stamp) {
		return
	}
	data, err := d.files.read(dpkgDir, dpkgStatus, maxStatus)
	if err != nil {
		return
	}
	d.stamp, d.pkgs = now, parseStatus(data)
	d.paths.refs = d.paths.refs[:0]
	for i := range d.pkgs {
		if len(d.paths.refs) > maxListPaths {
			break
		}
		d.addList(uint32(i))
	}
	d.paths.sort()
}

// addList adds the files of one package. Packages that may be installed for
// several architectures have theirs in the list's name.
func (d *dpkg) addList(i uint32) {
	p := &d.pkgs[i]
	if strings.ContainsRune(p.name, '/') {
		return
	}
	data, err := d.files.read(dpkgDir, "info/"+p.name+".list", maxList)
	if err != nil {
		data, err = d.files.read(dpkgDir, "info/"+p.name+":"+p.arch+".list", maxList)
	}
	if err != nil {
		return
	}
	eachListed(data, func(path []byte) {
		d.paths.add(mergedUsrBytes(path), i)
	})
}

// eachListed goes through the paths of a .list file that may be run. A
// directory stands right before what it holds, and is left out by that.
func eachListed(data []byte, each func(path []byte)) {
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		if len(line) < 2 || line[0] != '/' {
			continue
		}
		if len(data) > len(line) && data[len(line)] == '/' && bytes.HasPrefix(data, line) {
			continue
		}
		if rel, ok := bytes.CutPrefix(line, []byte("/usr/")); !ok || likely(rel) {
			each(line)
		}
	}
}

// mergedUsr gives a path as a machine with merged /usr resolves it: packages
// may still list /bin/ls while the kernel says /usr/bin/ls.
func mergedUsr(file string) string {
	for _, dir := range []string{"/bin/", "/sbin/", "/lib/", "/lib64/", "/lib32/", "/libx32/"} {
		if strings.HasPrefix(file, dir) {
			return "/usr" + file
		}
	}
	return file
}

func mergedUsrBytes(p []byte) []byte {
	if bytes.HasPrefix(p, []byte("/usr/")) {
		return p
	}
	return []byte(mergedUsr(string(p)))
}

// parseStatus reads dpkg's status file (deb822(5)): the packages that are
// installed.
func parseStatus(data []byte) []debPackage {
	var pkgs []debPackage
	for len(data) > 0 {
		var para []byte
		para, data, _ = bytes.Cut(data, []byte("\n\n"))
		if p, ok := parsePackage(para); ok {
			pkgs = append(pkgs, p)
		}
	}
	return pkgs
}

func parsePackage(para []byte) (debPackage, bool) {
	var p debPackage
	installed := false
	for len(para) > 0 {
		var line []byte
		line, para, _ = bytes.Cut(para, []byte("\n"))
		if len(line) == 0 || line[0] == ' ' || line[0] == '\t' {
			continue
		}
		key, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		v := bytes.TrimSpace(value)
		switch string(key) {
		case "Package":
			p.name = cleanWord(string(v))
		case "Status":
			installed = bytes.HasSuffix(v, []byte(" installed"))
		case "Source":
			name, _, _ := strings.Cut(string(v), " ")
			p.source = cleanWord(name)
		case "Version":
			p.version = cleanWord(string(v))
		case "Architecture":
			p.arch = cleanWord(string(v))
		case "Section":
			p.section = cleanWord(string(v[bytes.LastIndexByte(v, '/')+1:]))
		case "Priority":
			p.priority = cleanWord(string(v))
		}
	}
	if p.source == "" {
		p.source = p.name
	}
	return p, installed && p.name != ""
}
