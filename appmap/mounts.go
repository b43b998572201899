package appmap

import (
	"bytes"
	"cmp"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// mounts tells files that another machine serves. It goes by the mount table
// and never asks the filesystem: statfs(2) on one that hangs would hang, and on
// others it is a message to the server.
type mounts struct {
	table string // proc_pid_mountinfo(5); empty: everything is local
	now   func() time.Time

	mu    sync.Mutex // guards what follows
	until time.Time
	list  []mount // the longest path first
}

// mount is one line of the table.
type mount struct {
	path   string
	remote bool
}

// Bounds of the table, and how long it is taken as it was read.
const (
	maxMountTable = 8 << 20
	keepMounts    = 10 * time.Second
)

// remoteTypes are filesystems whose files other machines serve. Everything of
// FUSE counts as such (CVMFS, sshfs, Gluster), and so does what automounts.
var remoteTypes = map[string]bool{
	"nfs": true, "nfs4": true, "lustre": true, "gpfs": true, "ceph": true, "beegfs": true, "cvmfs2": true,
	"cifs": true, "smb3": true, "smbfs": true, "afs": true, "9p": true, "pvfs2": true, "orangefs": true,
	"panfs": true, "wekafs": true, "fhgfs": true, "glusterfs": true, "virtiofs": true, "autofs": true,
	"coda": true, "ncpfs": true, "ocfs2": true, "gfs2": true, "daos": true, "dvs": true, "vastfs": true,
}

// remote says whether a file lies on such a filesystem.
func (m *mounts) remote(file string) bool {
	if m == nil || m.table == "" {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.now(); now.After(m.until) {
		m.list, m.until = readMounts(m.table), now.Add(keepMounts)
	}
	for _, e := range m.list {
		if file == e.path || e.path == "/" || below(file, e.path) {
			return e.remote
		}
	}
	return false
}

func readMounts(table string) []mount {
	data, err := os.ReadFile(table)
	if err != nil || len(data) > maxMountTable {
		return nil
	}
	return parseMounts(data)
}

// parseMounts reads a mount table: the fifth field is the mount point, and the
// type follows a field of a single dash (proc_pid_mountinfo(5)). Of two mounts
// on one point the later one counts.
func parseMounts(data []byte) []mount {
	byPath := map[string]bool{}
	for line := range bytes.Lines(data) {
		fields := strings.Fields(string(line))
		dash := slices.Index(fields, "-")
		if dash < 6 || dash+1 >= len(fields) {
			continue
		}
		kind := fields[dash+1]
		byPath[unescape(fields[4])] = remoteTypes[kind] || kind == "fuse" || strings.HasPrefix(kind, "fuse.")
	}
	list := make([]mount, 0, len(byPath))
	for p, remote := range byPath {
		list = append(list, mount{p, remote})
	}
	slices.SortFunc(list, func(a, b mount) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(a.path, b.path))
	})
	return list
}

// unescape turns the table's octal escapes back: \040 is a space.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
