package syslog

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"

	"procmon"
)

// ecsVersion is the release of the Elastic Common Schema whose names are used.
const ecsVersion = "8.11.0"

// stringCaps are tried in turn as the longest string of a line, in encoded
// bytes, until the line fits: PATH_MAX first. With the last one every line
// fits in minLine.
var stringCaps = [...]int{4096, 1024, 256, 64, 24}

const (
	argsRoom = 256 // a line without as much room for arguments is tried with shorter strings
	maxID    = 128 // bytes of an event.id
)

// encoder makes lines of records. It keeps its buffers between calls, so it
// serves one goroutine at a time.
type encoder struct {
	schema      Schema
	max         int // bytes of a line
	commandLine bool
	host        string // for records that carry none

	w   writer // everything but the arguments
	cmd []byte // the command line, before it is escaped
}

// line appends the line of a record to dst. Records that the schema has no
// line for append nothing.
func (e *encoder) line(dst []byte, r *procmon.Record) []byte {
	for i, c := range stringCaps {
		last := i == len(stringCaps)-1
		e.w = writer{b: e.w.b[:0], cap: c}
		args, ok := e.record(r, last)
		if !ok {
			return dst
		}
		room := e.max - len(e.w.b)
		if args == 0 && (room >= 0 || last) {
			return append(dst, e.w.b...)
		}
		if args > 0 && (room >= argsRoom || last) {
			dst = append(dst, e.w.b[:args]...)
			dst = e.appendArgs(dst, r.Run.Process, room)
			return append(dst, e.w.b[args:]...)
		}
	}
	return dst
}

// record writes everything but a run's arguments, and says where these go, 0
// for nowhere.
func (e *encoder) record(r *procmon.Record, last bool) (args int, ok bool) {
	if e.schema == SchemaClassic {
		return e.classic(r)
	}
	switch {
	case r.Run != nil && r.Run.Process != nil:
		return e.run(r), true
	case r.Loss != nil:
		e.loss(r)
	case r.Summary != nil:
		e.summary(r, last)
	case r.Status != nil:
		e.status(r)
	default:
		return 0, false
	}
	return 0, true
}

// eventID keeps long ids short and still unique: those of jobs hold what a
// scheduler, or a user, chose.
func eventID(r *procmon.Record) string {
	id := r.EventID()
	if len(id) <= maxID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return id[:64] + "-" + hex.EncodeToString(sum[:16])
}

func (e *encoder) hostName(r *procmon.Record) string {
	if r.Host != "" {
		return r.Host
	}
	return e.host
}

// processName is the program's name: comm, which is a script's own name, whole
// where the kernel cut it to 15 bytes and the executable tells the rest.
func processName(comm, exe string) string {
	base := ""
	if exe != "" {
		base = filepath.Base(exe)
	}
	const taskCommLen = 16 // include/linux/sched.h, its NUL included
	if comm == "" || len(comm) == taskCommLen-1 && len(base) > len(comm) && base[:len(comm)] == comm {
		return base
	}
	return comm
}

// realUID and effectiveUID say whether the process's ids were read.
func realUID(p *procmon.Process) (uint32, bool) {
	return p.UID, p.UID != procmon.NoUID && (p.UID != 0 || p.Missing&procmon.MissingStatus == 0)
}

func effectiveUID(p *procmon.Process) (uint32, bool) {
	return p.EUID, p.EUID != procmon.NoUID && p.Missing&procmon.MissingStatus == 0
}
