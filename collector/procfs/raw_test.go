package procfs

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"procmon"
)

// rawOf makes a Raw of texts in the order of the sections.
func rawOf(texts ...string) *Raw {
	r := &Raw{PID: 4711, ArgsBytes: len(texts[0]), ArgsCount: 2}
	for i, text := range texts {
		r.size[i] = uint32(len(text))
		r.buf = append(r.buf, text...)
	}
	return r
}

// encode writes what a Reader in C writes.
func (r *Raw) encode() []byte {
	ne := binary.NativeEndian
	b := ne.AppendUint32(nil, uint32(r.PID))
	b = ne.AppendUint32(b, uint32(r.ArgsBytes))
	b = ne.AppendUint32(b, uint32(r.ArgsCount))
	b = ne.AppendUint32(b, uint32(r.Missing))
	for _, n := range r.size {
		b = ne.AppendUint32(b, n)
	}
	return append(b, r.buf...)
}

func whole() *Raw {
	return rawOf("gmx\x00mdrun\x00", "SLURM_JOB_ID=5\x00", "/opt/gmx (deleted)", "/home/a b", "mnt:[4026531841]",
		"0::/x\n", "4711 (gmx) S"+statTail, statusText)
}

func TestParserProcess(t *testing.T) {
	got := NewParser().Process(whole())
	want := &procmon.Process{
		Run: procmon.RunID{Process: procmon.ProcessID{PID: 4711, Start: 987654}}, PPID: 4242, SID: 4239, TTY: 34816,
		UID: 1001, EUID: 0, GID: 100, LoginUID: procmon.NoUID, MountNS: 4026531841, Comm: "gmx", Exe: "/opt/gmx", ExeDeleted: true,
		Cwd: "/home/a b", Args: []byte("gmx\x00mdrun\x00"), ArgsBytes: 10, ArgsCount: 2, Env: []byte("SLURM_JOB_ID=5\x00"),
		Cgroups: []procmon.Cgroup{{Path: "/x"}}, Before: procmon.Counters{CPU: 460e6, User: 120e6, System: 340e6},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParserCountsTheUnreadableAsMissing(t *testing.T) {
	got := NewParser().Process(rawOf("", "", "", "", "", "garbage\n", "garbage", "garbage"))
	want := procmon.MissingCgroup | procmon.MissingStat | procmon.MissingStatus
	if got.Missing != want || got.UID != procmon.NoUID {
		t.Errorf("missing %v, uid %d; want %v and no user", got.Missing.Names(), got.UID, want.Names())
	}
}

func TestParserSharesTexts(t *testing.T) {
	p := NewParser()
	a, b := p.Process(whole()), p.Process(whole())
	if &a.Cgroups[0] != &b.Cgroups[0] {
		t.Error("the same cgroups are held twice")
	}
	for range 2 * maxShared {
		p.text([]byte{byte(len(p.texts)), byte(len(p.texts) >> 8)})
	}
	if n := len(p.texts); n > maxShared {
		t.Errorf("%d texts remembered, at most %d", n, maxShared)
	}
}

func TestRawTravels(t *testing.T) {
	r := whole()
	r.Missing = procmon.MissingCwd
	b := r.encode()
	got, err := DecodeRaw(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*r, got, cmp.AllowUnexported(Raw{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzDecodeRaw(f *testing.F) {
	r := whole()
	b := r.encode()
	f.Add(b)
	f.Add(b[:headerSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRaw(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Error(err)
			}
			return
		}
		NewParser().Process(&r)
	})
}

func TestParseNamespace(t *testing.T) {
	for link, want := range map[string]uint64{"mnt:[4026531841]": 4026531841, "": 0, "mnt:[": 0, "mnt:[x]": 0, "mnt:[1": 1} {
		if got := ParseNamespace(link); got != want {
			t.Errorf("%q: %d, want %d", link, got, want)
		}
	}
}
