package appmap

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
)

// pathIndex says which item lists a path, such as a package its files.
type pathIndex struct {
	seed maphash.Seed
	refs []pathRef // ordered by hash once sort was called
}

// pathRef is a path's hash and its item. 64 bits of a seeded hash are the key,
// not the path: users can't aim for a collision, and by chance one in a
// million files happens once in 10^7 such machines.
type pathRef struct {
	hash uint64
	item uint32
}

func newPathIndex() pathIndex { return pathIndex{seed: maphash.MakeSeed()} }

func (x *pathIndex) add(path []byte, item uint32) {
	x.refs = append(x.refs, pathRef{maphash.Bytes(x.seed, path), item})
}

// sort makes what was added findable.
func (x *pathIndex) sort() {
	slices.SortFunc(x.refs, func(a, b pathRef) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.item, b.item)) })
	x.refs = slices.Clip(x.refs)
}

// find gives the first item that lists path.
func (x *pathIndex) find(path string) (item uint32, ok bool) {
	h := maphash.String(x.seed, path)
	i, ok := slices.BinarySearchFunc(x.refs, h, func(r pathRef, h uint64) int { return cmp.Compare(r.hash, h) })
	if !ok {
		return 0, false
	}
	return x.refs[i].item, true
}

// unlikely are directories whose files nobody runs, below a distribution's
// /usr or at the root of a tree.
var unlikely = [][]byte{
	[]byte("share/doc/"), []byte("share/man/"), []byte("share/locale/"), []byte("include/"),
	[]byte("share/icons/"), []byte("src/"), []byte("share/info/"), []byte("share/zoneinfo/"),
	[]byte("share/fonts/"), []byte("share/texmf"), []byte("share/texlive/"), []byte("share/help/"),
	[]byte("man/"), []byte("share/terminfo/"),
}

// likely says whether a file of a tree may be run, by its path below the root.
func likely(rel []byte) bool {
	return !bytes.HasSuffix(rel, []byte(".pyc")) &&
		!slices.ContainsFunc(unlikely, func(dir []byte) bool { return bytes.HasPrefix(rel, dir) })
}
