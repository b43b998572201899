package index

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"procmon"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests, 0: a new one")

// seeded gives random numbers that a failing test can be run with again.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run again with -seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// history makes runs as a node sees them: jobs one after another, a few dozen
// runs each, most of them of command lines that came before.
type history struct {
	rnd   *rand.Rand
	fresh float64 // share of runs with a command line of its own
	host  string
	now   time.Time
	boot  procmon.BootNS
	pid   int32
	n     int
	jobs  int
	job   procmon.Job
	left  int
	user  int
}

func newHistory(rnd *rand.Rand, fresh float64) *history {
	return &history{rnd: rnd, fresh: fresh, host: "n1", now: t0, boot: 1e12, pid: 1000}
}

var tools = []string{"bash", "sed", "gmx_mpi", "python3.11", "grep", "mpirun", "gcc", "cat", "R", "vasp_std", "awk", "ls"}

func (h *history) nextJob() {
	h.jobs++
	h.left = 10 + h.rnd.IntN(60)
	h.user = h.rnd.IntN(40)
	id := fmt.Sprint(100000 + h.jobs)
	h.job = procmon.Job{
		Scheduler: "slurm", Cluster: "c1", ID: id, RawID: id, User: fmt.Sprint("user", h.user), UID: uint32(2000 + h.user),
		Account: fmt.Sprint("acct", h.user%7), Partition: []string{"cpu", "gpu", "long"}[h.jobs%3], Name: "job", Evidence: procmon.EvidenceCgroup,
		By: evidence(procmon.EvidenceFacts, nil),
	}
}

// next is the next run, of some milliseconds to minutes.
func (h *history) next() *procmon.Run {
	if h.left--; h.left < 0 {
		h.nextJob()
	}
	h.n++
	gap := time.Duration(h.rnd.ExpFloat64()*500) * time.Millisecond
	h.now, h.boot = h.now.Add(gap+time.Microsecond), h.boot+procmon.BootNS(gap+time.Microsecond)
	h.pid = h.pid%4_000_000 + 1 + int32(h.rnd.IntN(5))
	tool := tools[min(h.rnd.IntN(len(tools)), h.rnd.IntN(len(tools)))]
	args := fmt.Sprintf("%s\x00--input\x00/work/projects/p%02d/data/common_%d.dat\x00--level\x00%d\x00", tool, h.user, h.rnd.IntN(12), h.rnd.IntN(3))
	if h.rnd.Float64() < h.fresh {
		args = fmt.Sprintf("%s\x00--input\x00/scratch/%d/out.%d.dat\x00--seed\x00%d\x00--verbose\x00", tool, h.jobs, h.n, h.rnd.Uint32())
	}
	cpu := time.Duration(h.rnd.ExpFloat64() * float64(200*time.Millisecond))
	start := h.now.Truncate(time.Microsecond)
	job := h.job
	job.Step = []string{"batch", "0", "1"}[h.rnd.IntN(3)]
	job.Task = fmt.Sprint(h.rnd.IntN(4))
	var exit procmon.Exit
	if h.rnd.IntN(20) == 0 {
		exit.Code = 1
	}
	return &procmon.Run{
		Process: &procmon.Process{
			Run:  procmon.RunID{Process: procmon.ProcessID{PID: h.pid, Start: h.boot.Ticks()}, Exec: h.boot},
			Boot: "boot-1", Time: start, PPID: h.pid - 1, UID: job.UID, EUID: job.UID, Exe: "/apps/" + tool + "/bin/" + tool,
			Args: []byte(args), ArgsBytes: len(args),
		},
		Parent:   procmon.RunID{Process: procmon.ProcessID{PID: h.pid - 1, Start: h.boot.Ticks() - 2}, Exec: h.boot - 20_000_000},
		UserName: job.User, Job: job,
		Application: procmon.Application{Name: tool, Version: "1.0", Kind: procmon.KindApplication, Package: tool + "/1.0", Evidence: "easybuild", Rules: "1"},
		Start:       start, End: start.Add(2 * cpu), Exit: &exit,
		Usage: &procmon.Usage{User: cpu, System: cpu / 8, MaxRSS: uint64(4096 * (1 + h.rnd.IntN(1<<16))), Read: uint64(4096 * h.rnd.IntN(50)), Write: uint64(4096 * h.rnd.IntN(10))},
	}
}

func (h *history) batch(n int) []procmon.Record {
	all := make([]procmon.Record, n)
	for i := range all {
		r := h.next()
		all[i] = procmon.Record{Host: h.host, Boot: "boot-1", Time: r.End, Phase: procmon.Whole, Run: r}
	}
	return all
}
