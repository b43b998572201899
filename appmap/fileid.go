package appmap

import (
	"os"
	"path"
)

// identity is which files an answer is of: the executable and the script, by
// device, inode, time and size. What can't be looked at is nil.
type identity [2]os.FileInfo

// identity looks at a subject's files, below local directories only. It opens
// none of them.
func (m *Mapper) identity(s *subject) identity {
	var id identity
	if s.foreign {
		return id
	}
	for i, file := range [...]string{s.exe, s.script} {
		if !cleanPath(file) || m.files.mounts.remote(file) {
			continue
		}
		id[i], _ = m.files.stat(path.Split(file))
	}
	return id
}

func (id identity) unseen() bool { return id == identity{} }

func (id identity) same(o identity) bool {
	for i := range id {
		if (id[i] != nil || o[i] != nil) && !unchanged(id[i], o[i]) {
			return false
		}
	}
	return true
}

// unchanged says whether two looks at one path saw the same file or directory.
func unchanged(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
