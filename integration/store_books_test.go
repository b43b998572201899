package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// storeBooks is what one store holds.
type storeBooks struct {
	name     string
	runs     map[string]int  // recorded, by last argument
	missing  int             // of them, without something else
	unknown  []string        // without usage
	unpriced int             // processes whose usage was counted as lost
	others   map[string]bool // runs of other users: who is in a job is recorded all the same
	partly   []span          // recorded without their arguments
	losses   []lost
	twice    []string
}

type lost struct {
	span
	count         int // 0: not known
	reason, where string
}

func (l *ledger) inLines(t *testing.T) *storeBooks {
	t.Helper()
	b := &storeBooks{name: "the lines", runs: map[string]int{}, others: map[string]bool{}}
	lines, err := wholeLines(t, l.d.lines)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, r := range pick(lines, "procmon.run", (*line).ends) {
		if r.User.ID != fmt.Sprint(l.user.uid) {
			b.others[fmt.Sprint(r.Process.PID, r.Process.Start.UnixMicro())] = true
			continue
		}
		if ids[r.Process.EntityID] {
			b.twice = append(b.twice, r.Process.EntityID)
		}
		ids[r.Process.EntityID] = true
		b.enter(l.tag, strings.Join(r.Process.Args, " "), span{r.Process.Start, r.Process.End}, len(r.HPC.Missing) > 0, r.HPC.Usage.cpu() > 0 || r.HPC.Usage.MaxRSS > 0)
	}
	for _, r := range pick(lines, "procmon.loss", func(*line) bool { return true }) {
		b.lose(lost{span{r.Event.Start, r.Event.End}, r.HPC.Loss.Count, r.HPC.Loss.Reason, r.HPC.Loss.Where}, "index")
	}
	return b
}

func (l *ledger) inIndex(t *testing.T) *storeBooks {
	t.Helper()
	b := &storeBooks{name: "the index", runs: map[string]int{}, others: map[string]bool{}}
	at := func(s float64) time.Time { return time.UnixMicro(int64(s * 1e6)) }
	d := *l.d
	d.t = t
	d.query(`SELECT ifnull(command_line, ''), start, ifnull("end", start), missing IS NOT NULL, ifnull(cpu_seconds, 0) + ifnull(max_rss_bytes, 0) > 0, uid, pid FROM runs WHERE NOT open`, nil,
		func(scan func(...any) error) error {
			var command string
			var from, to float64
			var missing, used bool
			var uid uint32
			var pid int
			err := scan(&command, &from, &to, &missing, &used, &uid, &pid)
			if uid != l.user.uid {
				b.others[fmt.Sprint(pid, at(from).UnixMicro())] = true
				return err
			}
			b.enter(l.tag, command, span{at(from), at(to)}, missing, used)
			return err
		})
	d.query(`SELECT "from", "to", ifnull(count, 0), reason, ifnull(source, '') FROM losses`, nil, func(scan func(...any) error) error {
		var x lost
		var from, to float64
		err := scan(&from, &to, &x.count, &x.reason, &x.where)
		x.span = span{at(from), at(to)}
		b.lose(x, "syslog")
		return err
	})
	return b
}

// wholeLines is readLines without a last line that is being written.
func wholeLines(t *testing.T, path string) ([]line, error) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	whole := path + ".whole"
	if err := os.WriteFile(whole, text[:bytes.LastIndexByte(text, '\n')+1], 0o600); err != nil {
		return nil, err
	}
	return readLines(t, whole), nil
}

// enter enters a run by the last word of its command, which is its argument.
func (b *storeBooks) enter(tag, command string, at span, missing, used bool) {
	if !used {
		b.unknown = append(b.unknown, fmt.Sprintf("%s from %v to %v", command, at.from.UTC(), at.to.UTC()))
	}
	arg := command[strings.LastIndexByte(command, ' ')+1:]
	if !strings.HasPrefix(arg, tag) {
		b.partly = append(b.partly, at)
		return
	}
	if b.runs[arg]++; b.runs[arg] > 1 {
		b.twice = append(b.twice, arg)
	}
	if missing {
		b.missing++
	}
}

// lose enters a loss of runs to this store, not one of another store.
func (b *storeBooks) lose(x lost, other string) {
	switch {
	case x.reason == "usage lost":
		b.unpriced += x.count
	case x.where != other && x.reason != "not from kernel":
		b.losses = append(b.losses, x)
	}
}

// count adds the losses up; open says that of one the number is not known.
func (b *storeBooks) count() (n int, open bool) {
	for _, x := range b.losses {
		n += x.count
		open = open || x.count == 0
	}
	return n, open
}

// complete says whether all that was started is accounted for, at least.
func (l *ledger) complete(b *storeBooks) error {
	n, open := b.count()
	if len(b.runs)+len(b.partly)+n < len(l.ran) && !open {
		return fmt.Errorf("of %d runs %s: %s", len(l.ran), b.name, b)
	}
	return nil
}

func (b *storeBooks) String() string {
	reasons := map[string]int{}
	for _, x := range b.losses {
		reasons[x.where+": "+x.reason] += x.count
	}
	n, _ := b.count()
	return fmt.Sprintf("%d recorded, %d of them not whole, %d without arguments, %d without usage, %d lost %v", len(b.runs), b.missing, len(b.partly), len(b.unknown), n, reasons)
}
