package procconn

import (
	"encoding/binary"
	"time"

	"procmon"
)

// Attributes of a taskstats message (include/uapi/linux/taskstats.h).
const (
	attrPID     = 1
	attrStats   = 3
	attrAggrPID = 4
)

// Offsets into struct taskstats. They have not moved since their fields came;
// minVersion is the first with ac_tgid and AGROUP (Linux 5.19).
const (
	offVersion    = 0
	offFlag       = 8
	offCPUVirtual = 72
	offUID        = 120
	offElapsed    = 144
	offUser       = 152
	offSystem     = 160
	offRSS        = 200
	offRead       = 248
	offWrite      = 256
	offTGID       = 368
	offTGElapsed  = 376
	minStats      = 384
	minVersion    = 12
	flagLast      = 0x20 // AGROUP (include/uapi/linux/acct.h): the last task of its process
)

// taskExit is what taskstats tells when one thread has ended.
type taskExit struct {
	TGID    int32
	UID     uint32        // real user id
	Last    bool          // no thread of the process is left
	Elapsed time.Duration // since the process began
	Used    procmon.Counters
}

// parseTaskstats reads one message, from its generic netlink header on. old
// says that it is a taskstats of a kernel that does not tell processes apart.
func parseTaskstats(b []byte) (t taskExit, ok, old bool) {
	const genlHeader = 4
	if len(b) < genlHeader {
		return t, false, false
	}
	aggr, ok := attribute(b[genlHeader:], attrAggrPID)
	if !ok {
		return t, false, false
	}
	s, ok := attribute(aggr, attrStats)
	if !ok || len(s) < 2 {
		return t, false, false
	}
	ne := binary.NativeEndian
	if len(s) < minStats || ne.Uint16(s[offVersion:]) < minVersion {
		return t, false, true
	}
	u64 := func(off int) uint64 { return ne.Uint64(s[off:]) }
	micro := func(off int) time.Duration { return time.Duration(min(u64(off), 1<<52)) * time.Microsecond }
	t = taskExit{
		TGID: int32(ne.Uint32(s[offTGID:])), UID: ne.Uint32(s[offUID:]), Last: s[offFlag]&flagLast != 0, Elapsed: micro(offTGElapsed),
		Used: procmon.Counters{
			CPU:  time.Duration(min(u64(offCPUVirtual), 1<<62)),
			User: micro(offUser), System: micro(offSystem),
			Read: u64(offRead), Write: u64(offWrite), MaxRSS: u64(offRSS) * 1024,
		},
	}
	return t, t.TGID > 0, false
}

// attribute finds one netlink attribute (struct nlattr) among several.
func attribute(b []byte, kind uint16) ([]byte, bool) {
	const header = 4
	ne := binary.NativeEndian
	for len(b) >= header {
		size, typ := int(ne.Uint16(b)), ne.Uint16(b[2:])&0x3fff // without NLA_F_NESTED and the like
		if size < header || size > len(b) {
			return nil, false
		}
		if typ == kind {
			return b[header:size], true
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return nil, false
}

// groups adds up the threads of processes until the last one has ended.
type groups struct {
	sums map[int32]procmon.Counters
}

// maxGroups bounds the processes that have lost a thread and still run. When
// there are more, or messages of last threads were lost, all are forgotten:
// the totals of those processes come out too low, which is told as a loss.
const maxGroups = 1 << 16

// add takes a thread's end; done says that the process's counters are final.
func (g *groups) add(t taskExit) (used procmon.Counters, done, overflow bool) {
	sum, known := g.sums[t.TGID]
	sum.CPU += t.Used.CPU
	sum.User += t.Used.User
	sum.System += t.Used.System
	sum.Read += t.Used.Read
	sum.Write += t.Used.Write
	sum.MaxRSS = max(sum.MaxRSS, t.Used.MaxRSS)
	if t.Last {
		if known {
			delete(g.sums, t.TGID)
		}
		return sum, true, false
	}
	if g.sums == nil || len(g.sums) >= maxGroups {
		overflow = len(g.sums) >= maxGroups
		g.sums = map[int32]procmon.Counters{}
	}
	g.sums[t.TGID] = sum
	return sum, false, overflow
}
