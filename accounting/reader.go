package accounting

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"procmon"
)

// maxLine is the longest line that is read; a longer one is bad. The list of a
// job's hosts in PBS is some bytes a CPU.
const maxLine = 4 << 20

// ErrFormat is a file of a format that is not known.
var ErrFormat = errors.New("neither output of sacct -P with its header, nor of jobcomp/filetxt, nor an accounting file of PBS")

// LineError is a line that cannot be read.
type LineError struct {
	Line int // counted from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// Options say how a file is to be understood.
type Options struct {
	Zone    *time.Location // of times that name none; nil: UTC
	Cluster string         // of jobs whose cluster is not told

	// Delimiter stands between the columns of sacct; empty: "|". A job name may
	// hold a line break and all that makes the next line look like another job's,
	// unless it stands between delimiters that no user can know beforehand.
	Delimiter string
}

// Counts are lines by what became of them.
type Counts struct {
	Lines int // all, empty ones and headers left out
	Jobs  int // told of a job
	Steps int // of a job's step: the job's own line has all of it
	Other int // of events and of arrays as a whole, which tell nothing of one job
	Bad   int
}

// Reader reads one file.
type Reader struct {
	opts   Options
	in     *bufio.Reader
	line   int
	parse  parser // nil: the format is not known yet
	counts Counts
}

// parser takes one line.
type parser interface {
	// job says what a line tells of a job. The error is errStep or errOther for
	// lines that tell nothing of one.
	job(line string) (procmon.Accounted, error)
}

var (
	errStep   = errors.New("a step")
	errOther  = errors.New("nothing of one job")
	errHeader = errors.New("a header")
)

// NewReader reads from r.
func NewReader(r io.Reader, opts Options) *Reader {
	if opts.Zone == nil {
		opts.Zone = time.UTC
	}
	opts.Delimiter = cmp.Or(opts.Delimiter, "|")
	return &Reader{opts: opts, in: bufio.NewReaderSize(r, 64<<10)}
}

// Counts are those of the lines so far.
func (r *Reader) Counts() Counts { return r.counts }

// Line is the number of the line that was read last, counted from 1.
func (r *Reader) Line() int { return r.line }

// Next is what the next line that tells of a job says; io.EOF at the end.
func (r *Reader) Next() (procmon.Accounted, error) {
	for {
		line, err := r.read()
		if err != nil && !errors.Is(err, bufio.ErrTooLong) {
			return procmon.Accounted{}, err
		}
		if err == nil && strings.TrimSpace(line) == "" {
			continue
		}
		if err == nil && r.parse == nil {
			if err := r.detect(line); err != nil {
				return procmon.Accounted{}, err
			}
		}
		var a procmon.Accounted
		if err == nil {
			a, err = r.parse.job(line)
		}
		if errors.Is(err, errHeader) {
			continue
		}
		r.counts.Lines++
		switch {
		case err == nil:
			r.counts.Jobs++
			r.complete(&a)
			return a, nil
		case errors.Is(err, errStep):
			r.counts.Steps++
		case errors.Is(err, errOther):
			r.counts.Other++
		default:
			r.counts.Bad++
			return procmon.Accounted{}, &LineError{r.line, err}
		}
	}
}

// complete adds what follows from the rest, and marks what is told.
func (r *Reader) complete(a *procmon.Accounted) {
	j := &a.Job
	j.Cluster = cmp.Or(j.Cluster, r.opts.Cluster)
	tell := func(f procmon.JobField, known bool) {
		if known {
			j.By[f] = procmon.EvidenceAccounting
		}
	}
	tell(procmon.JobID, j.ID != "")
	tell(procmon.JobRawID, true)
	tell(procmon.JobCluster, j.Cluster != "")
	tell(procmon.JobUser, j.User != "" || j.UID != procmon.NoUID)
	tell(procmon.JobAccount, j.Account != "")
	tell(procmon.JobPartition, j.Partition != "")
	tell(procmon.JobName, j.Name != "")
	if a.Elapsed == 0 && a.Over && !a.Start.IsZero() {
		a.Elapsed = max(0, a.End.Sub(a.Start))
	}
	if a.Nodes == 1 && len(a.Hosts) == 1 && a.Hosts[0].CPUs == 0 {
		a.Hosts[0].CPUs, a.Hosts[0].GPUs = a.CPUs, a.GPUs
	}
}

// read is the next line, without its end. Of one that is too long nothing is
// kept and the error is bufio.ErrTooLong.
func (r *Reader) read() (string, error) {
	var line []byte
	long := false
	for {
		part, err := r.in.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxLine; !long {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(part)+len(line) > 0, err == nil:
			r.line++
			if long {
				return "", fmt.Errorf("%w: more than %d bytes", bufio.ErrTooLong, maxLine)
			}
			return string(bytes.TrimRight(line, "\r\n")), nil
		default:
			return "", err
		}
	}
}

// detect finds the format by the first line.
func (r *Reader) detect(line string) error {
	line = strings.TrimPrefix(line, "\ufeff")
	switch {
	case strings.HasPrefix(line, "JobId="):
		r.parse = &jobcomp{r.opts}
	case isPBS(line):
		r.parse = &pbs{r.opts}
	default:
		s, err := newSacct(line, r.opts)
		if err != nil {
			return err
		}
		r.parse = s
	}
	return nil
}
