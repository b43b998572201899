package appmap

import (
	"context"
	"strings"
)

// systemDirs hold what a distribution's packages install.
var systemDirs = []string{"/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/", "/etc/", "/var/lib/"}

// distribution asks the host's package databases which package lists a file.
func (l *lookup) distribution(ctx context.Context, file string) (finding, bool) {
	if !inSystem(file) {
		return finding{}, false
	}
	if p, ok := l.dpkg.owner(ctx, file); ok {
		f := finding{
			name: p.source, version: debianUpstream(p.version), pkg: p.name + " " + p.version, evidence: "dpkg",
			section: p.section, priority: p.priority, entry: l.packageEntry(p.name, p.source, file),
		}
		return f, true
	}
	if p, ok := l.rpm.owner(ctx, file); ok {
		name := p.source
		if name == "" {
			name = p.name
		}
		f := finding{
			name: name, version: rpmUpstream(p.version), pkg: p.name + "-" + p.version + "-" + p.release, evidence: "rpm",
			section: p.group, entry: l.packageEntry(p.name, name, file),
		}
		return f, true
	}
	return finding{}, false
}

// packageEntry looks a distribution's package up in the catalogue: by its
// name, by its source's, and by the program if the catalogue knows that one
// under a name that the package's begins with.
func (l *lookup) packageEntry(name, source, file string) *entry {
	if e := l.catalog.pkg(name); e != nil {
		return e
	}
	if e := l.catalog.pkg(source); e != nil {
		return e
	}
	m, ok := l.catalog.executable(base(file))
	if ok && m.entry != nil && (strings.HasPrefix(fold(name), fold(m.entry.name)) || strings.HasPrefix(fold(source), fold(m.entry.name))) {
		return m.entry
	}
	return nil
}

func inSystem(file string) bool {
	if strings.HasPrefix(file, "/usr/local/") {
		return false
	}
	for _, dir := range systemDirs {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	return false
}

// olderRPM tells a database of rpm that is not read: of Berkeley DB (RHEL 8,
// Rocky 8) or NDB (SUSE). Empty where there is none, or one that is read.
func olderRPM(f *files) string {
	for _, dir := range []string{"/usr/lib/sysimage/rpm", "/var/lib/rpm"} {
		if _, err := f.stat(dir, "rpmdb.sqlite"); err == nil {
			return ""
		}
	}
	for _, dir := range []string{"/usr/lib/sysimage/rpm", "/var/lib/rpm"} {
		for _, name := range []string{"Packages.db", "Packages"} {
			if _, err := f.stat(dir, name); err == nil {
				return dir + "/" + name
			}
		}
	}
	return ""
}
