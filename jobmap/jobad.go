package jobmap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"

	"procmon"
)

// Bounds of what is read and kept of job ads.
const (
	maxAd  = 256 << 10 // bytes of a job ad
	maxAds = 4096      // starters and slots remembered
)

// jobAds reads which job HTCondor's slots have. It reads an ad once, when it
// first meets the job's starter, which is before the job's own programs can
// have touched the file.
type jobAds struct {
	execute string                                   // HTCondor's EXECUTE directory, "" for none
	open    func(dir, name string) (*os.File, error) // openBeneath
	owner   func(fs.FileInfo) uint32                 // ownerOf

	mu      sync.Mutex // guards what follows; it is held while an ad is read, so that it is read once
	starter map[procmon.ProcessID]*facts
	slots   map[string]*facts // what a slot has now, for processes that have left their starter
}

func newJobAds(execute string) *jobAds {
	return &jobAds{execute: execute, open: openBeneath, owner: ownerOf, starter: map[procmon.ProcessID]*facts{}, slots: map[string]*facts{}}
}

// find gives the facts of the job in a slot, nil when there are none that can
// be trusted. Slot may be empty.
func (a *jobAds) find(up []procmon.Ancestor, slot string) *facts {
	if a == nil || a.execute == "" {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range up {
		if isStarter(&up[i]) {
			return a.of(up[i].ID, slot)
		}
	}
	return a.slots[slot]
}

// of gives the facts of a starter's job. The caller holds mu.
func (a *jobAds) of(starter procmon.ProcessID, slot string) *facts {
	f, ok := a.starter[starter]
	if !ok {
		if len(a.starter) >= maxAds {
			clear(a.starter)
		}
		f, _ = a.read(starter.PID) // what can't be trusted is as none
		a.starter[starter] = f
	}
	if slot != "" && a.slots[slot] != f {
		if len(a.slots) >= maxAds {
			clear(a.slots)
		}
		a.slots[slot] = f
	}
	return f
}

// read reads EXECUTE/dir_PID/.job.ad. The directory belongs to the job's user
// by then; the ad stays with whom the execute directory belongs to
// (src/condor_starter.V6.1/starter.cpp), if only that user can write there.
// So an ad of another owner is not the starter's, and is refused.
func (a *jobAds) read(pid int32) (*facts, error) {
	trusted, err := a.trusted()
	if err != nil {
		return nil, err
	}
	dir := "dir_" + strconv.Itoa(int(pid))
	scratch, err := a.stat(dir)
	if err != nil {
		return nil, err
	}
	h, err := a.open(a.execute, dir+"/.job.ad")
	if err != nil {
		return nil, err
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return nil, err
	}
	owner, uid := a.owner(info), a.owner(scratch)
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 || owner == uid || owner != 0 && owner != trusted {
		return nil, fmt.Errorf("%w: %s/%s/.job.ad (%v, uid %d)", ErrUnsafe, a.execute, dir, info.Mode(), owner)
	}
	data, err := io.ReadAll(io.LimitReader(h, maxAd))
	if err != nil {
		return nil, err
	}
	f := parseJobAd(data)
	if f == nil {
		return nil, fmt.Errorf("%w: %s/%s/.job.ad has no ClusterId and ProcId", ErrUnknownJob, a.execute, dir)
	}
	f.uid, f.hasUID = uid, true
	return f, nil
}

// trusted is the owner of the execute directory, which nobody else may write to.
func (a *jobAds) trusted() (uid uint32, err error) {
	info, err := os.Stat(a.execute)
	if err != nil {
		return 0, err
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return 0, fmt.Errorf("%w: %s is no directory that its owner alone can write to", ErrUnsafe, a.execute)
	}
	return a.owner(info), nil
}

func (a *jobAds) stat(name string) (fs.FileInfo, error) {
	h, err := a.open(a.execute, name)
	if err != nil {
		return nil, err
	}
	info, err := h.Stat()
	return info, errors.Join(err, h.Close())
}

// parseJobAd reads a job ad, one NAME = VALUE a line (the old form of
// ClassAds); nil when it tells no job.
func parseJobAd(data []byte) *facts {
	v := map[string]string{}
	for len(data) > 0 && len(v) < 1024 {
		var one []byte
		one, data, _ = bytes.Cut(data, []byte{'\n'})
		name, value, ok := bytes.Cut(one, []byte{'='})
		if !ok || len(value) > maxValue {
			continue
		}
		key := strings.ToLower(string(bytes.TrimSpace(name)))
		switch key {
		case "clusterid", "procid", "globaljobid", "owner", "acctgroup", "jobbatchname":
			if _, twice := v[key]; !twice {
				v[key] = adString(bytes.TrimSpace(value))
			}
		}
	}
	f := &facts{scheduler: htcondorScheduler.name, id: v["clusterid"] + "." + v["procid"], user: v["owner"], account: v["acctgroup"], name: v["jobbatchname"]}
	if !isHTCondorID(f.id) {
		return nil
	}
	if global := v["globaljobid"]; global != "" && condorID(global) == f.id && isHTCondorID(global) {
		f.id = global
	}
	return f
}

// adString is a number or a plain string of an ad; "" for what has escapes or
// is an expression.
func adString(value []byte) string {
	if digits(value) {
		return string(value)
	}
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return ""
	}
	value = value[1 : len(value)-1]
	if bytes.ContainsAny(value, `\"`) {
		return ""
	}
	return text(value, "")
}
