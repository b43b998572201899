package appmap

import (
	"container/list"
	"context"
	"os"
	"sync"
)

// Bounds of the indexes of trees, in paths of 16 bytes.
const (
	maxTreePaths = 256 << 10 // of one tree
	maxAllPaths  = 1 << 20   // of all trees
)

// treeIndex is what the metadata of one directory lists: a conda-meta, a
// site-packages.
type treeIndex struct {
	pathIndex
	dir   os.FileInfo // as it was when its files were read
	items []finding
}

// full says whether an index takes no more.
func (x *treeIndex) full() bool { return len(x.refs) >= maxTreePaths }

// treeKey names an index. What one user may read names no program of another.
type treeKey struct {
	uid uint32
	dir string
}

// treeIndexes keeps the indexes that were asked last, for as long as their
// directories stay as they were.
type treeIndexes struct {
	mu     sync.Mutex // guards what follows
	recent *list.List // of *keptIndex, the last used first
	byKey  map[treeKey]*list.Element
	paths  int
}

type keptIndex struct {
	key   treeKey
	index *treeIndex
}

func newTreeIndexes() *treeIndexes {
	return &treeIndexes{recent: list.New(), byKey: map[treeKey]*list.Element{}}
}

// get gives the index of a directory that is the same as it was.
func (t *treeIndexes) get(k treeKey, dir os.FileInfo) *treeIndex {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byKey[k]
	if e == nil {
		return nil
	}
	if kept := e.Value.(*keptIndex); unchanged(kept.index.dir, dir) {
		t.recent.MoveToFront(e)
		return kept.index
	}
	t.drop(e)
	return nil
}

func (t *treeIndexes) put(k treeKey, x *treeIndex) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byKey[k]; e != nil {
		t.drop(e)
	}
	t.byKey[k] = t.recent.PushFront(&keptIndex{k, x})
	t.paths += x.cost()
	for t.paths > maxAllPaths {
		t.drop(t.recent.Back())
	}
}

func (t *treeIndexes) drop(e *list.Element) {
	kept := t.recent.Remove(e).(*keptIndex)
	delete(t.byKey, kept.key)
	t.paths -= kept.index.cost()
}

// cost is an index's memory, in paths; an empty one has some too.
func (x *treeIndex) cost() int { return len(x.refs) + 16*len(x.items) + 64 }

// listed finds what lists a path of a local directory, in its index. known says
// that there is one.
func (l *lookup) listed(dir, path string) (f finding, ok, known bool) {
	if l.files.mounts.remote(dir) {
		return finding{}, false, false
	}
	info, err := l.files.stat(dir, ".")
	if err != nil {
		return finding{}, false, false
	}
	x := l.trees.get(treeKey{l.uid, dir}, info)
	if x == nil {
		return finding{}, false, false
	}
	f, ok = x.owner(path)
	return f, ok, true
}

// index reads a local directory whole, keeps what it lists, and finds a path
// in it. It is kept unless ctx ended while it was read.
func (l *lookup) index(ctx context.Context, dir, path string, read func(x *treeIndex)) (finding, bool) {
	info, err := l.files.stat(dir, ".") // before its files, so that no change is missed
	if err != nil || l.files.mounts.remote(dir) {
		return finding{}, false
	}
	x := &treeIndex{pathIndex: newPathIndex(), dir: info}
	read(x)
	x.sort()
	if ctx.Err() == nil {
		l.trees.put(treeKey{l.uid, dir}, x)
	}
	return x.owner(path)
}

func (x *treeIndex) owner(path string) (finding, bool) {
	if item, ok := x.find(path); ok && int(item) < len(x.items) {
		return x.items[item], true
	}
	return finding{}, false
}
