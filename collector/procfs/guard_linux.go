package procfs

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"procmon"
)

// ErrStuck says that a process can't be read now: the kernel makes readers wait
// for something that the process's user may hold up for ever.
var ErrStuck = errors.New("process can't be read now")

// maxStuck bounds the threads that a Guard lets hang.
const maxStuck = 16

// Guard reads processes through a Reader, and gives up on one that hangs: the
// read is left to itself, with its thread, and the next one has another Reader.
// It is safe for concurrent use; one read goes on at a time.
type Guard struct {
	root    string
	filter  *EnvFilter
	maxArgs int
	limit   time.Duration

	mu     sync.Mutex // held for the time of a read, so that it bounds how long a caller waits
	worker *worker    // nil: none yet
	hung   time.Time  // when a read hung last; guarded by mu

	stuckMu sync.Mutex // guards stuck
	stuck   int
}

// worker is one Reader and the goroutine that uses it.
type worker struct {
	ask    chan request
	answer chan answer // holds one, so that a late answer does not block
}

type request struct {
	pid   int32
	spent bool // what the process has used is asked, not what it is
}

type answer struct {
	process *procmon.Process
	spent   Spent
	err     error
}

// NewGuard makes a Guard that waits for each process at most as long as limit.
// The other arguments are as for NewReader.
func NewGuard(root string, filter *EnvFilter, maxArgs int, limit time.Duration) *Guard {
	return &Guard{root: root, filter: filter, maxArgs: maxArgs, limit: limit}
}

// Process reads one process, without ancestors. ErrGone: there is none; ErrStuck:
// it can't be read now.
func (g *Guard) Process(pid int32) (*procmon.Process, error) {
	a := g.ask(request{pid: pid})
	return a.process, a.err
}

func (g *Guard) ask(req request) answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.worker == nil {
		if err := g.start(); err != nil {
			return answer{err: err}
		}
	}
	w := g.worker
	w.ask <- req
	timer := time.NewTimer(g.patience())
	defer timer.Stop()
	select {
	case a := <-w.answer:
		return a
	case <-timer.C:
	}
	g.hung = time.Now()
	close(w.ask) // it ends when its read does
	g.worker = nil
	g.count(1)
	go func() {
		<-w.answer
		g.count(-1)
	}()
	return answer{err: fmt.Errorf("pid %d: %w", req.pid, ErrStuck)}
}

// patience is how long to wait for a read. A user can let one read after another
// hang, and let go of each in time: soon after one that hung there is less of it,
// which is still many times what a read takes.
func (g *Guard) patience() time.Duration {
	if time.Since(g.hung) < 10*g.limit {
		return g.limit / 10
	}
	return g.limit
}

func (g *Guard) count(n int) {
	g.stuckMu.Lock()
	defer g.stuckMu.Unlock()
	g.stuck += n
}

// Stuck is the number of reads that hang.
func (g *Guard) Stuck() int {
	g.stuckMu.Lock()
	defer g.stuckMu.Unlock()
	return g.stuck
}

func (g *Guard) start() error {
	if g.Stuck() >= maxStuck {
		return fmt.Errorf("%w: %d reads hang already", ErrStuck, maxStuck)
	}
	r, err := NewReader(g.root, g.filter, g.maxArgs)
	if err != nil {
		return err
	}
	w := &worker{ask: make(chan request), answer: make(chan answer, 1)}
	g.worker = w
	go func() {
		defer r.Close()
		parser := NewParser()
		for req := range w.ask {
			w.answer <- answerOf(r, parser, req)
		}
	}()
	return nil
}

func answerOf(r *Reader, parser *Parser, req request) (a answer) {
	if req.spent {
		a.spent, a.err = r.Spent(req.pid)
		return a
	}
	raw, err := r.Read(req.pid)
	if err != nil {
		return answer{err: err}
	}
	return answer{process: parser.Process(raw)}
}

// Close ends the goroutine that reads; reads that hang end by themselves.
func (g *Guard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.worker != nil {
		close(g.worker.ask)
		g.worker = nil
	}
	return nil
}
