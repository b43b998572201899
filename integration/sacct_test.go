package integration

import (
	"fmt"
	"maps"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestIntegrationSlurmAccounting compares what procmon saw of jobs with what
// Slurm's own accounting says of them, and what import-jobs makes of that. It
// runs with PROCMON_TEST_SLURMDBD set: see scripts/test-slurmdbd.sh.
func TestIntegrationSlurmAccounting(t *testing.T) {
	if os.Getenv("PROCMON_TEST_SLURMDBD") == "" {
		t.Skip("needs slurmdbd and MariaDB: make test-slurmdbd installs them and runs this")
	}
	f := setUp(t)
	d := newDaemon(t, f)
	d.start()
	s := startSlurm(t, f, 2, d.jobs, "SLURM_PRIVATE_ACCOUNTING=yes")
	a := &accounted{f: f, d: d, s: s}
	a.associations(t)
	a.run(t)
	d.flush()
	a.read(t)

	t.Run("jobs", a.jobsAgree)
	t.Run("steps and exit codes", a.stepsAgree)
	t.Run("CPU time", a.cpuAgrees)
	t.Run("import-jobs", a.imported)
}

// accounted is what the parts of the test share.
type accounted struct {
	f *fixture
	d *daemon
	s *slurm

	spins [2]string // jobs that use much CPU
	text  string    // what sacct printed
	jobs  map[string]sacctRow
	steps map[string]sacctRow // by "job.step"; the extern ones left out
}

// sacctRow is a line of sacct -P, by the names of its columns.
type sacctRow map[string]string

// associations gives each user an account of its own.
func (a *accounted) associations(t *testing.T) {
	for user, account := range map[string]string{a.f.alice.name: "chem", a.f.bob.name: "phys"} {
		output(t, a.s.command("sacctmgr", "-i", "add", "account", account))
		output(t, a.s.command("sacctmgr", "-i", "add", "user", user, "account="+account))
	}
}

// spinProgram uses as many seconds of CPU as its argument says.
const spinProgram = `import sys, time
while time.process_time() < float(sys.argv[1]): pass
`

// poolOf uses the seconds of its argument in each of two processes that were forked.
const poolOf = `import multiprocessing, sys, time

def work(seconds):
    while time.process_time() < seconds:
        pass

if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        pool.map(work, [float(sys.argv[1])] * 2, chunksize=1)
        pool.close()
        pool.join()
`

// run runs jobs of many forms at once and returns when they are over.
func (a *accounted) run(t *testing.T) {
	needs(t, "/usr/bin/python3")
	alice, bob, s := a.f.alice, a.f.bob, a.s
	alice.write(t, "spin.py", spinProgram)
	bob.write(t, "pool.py", poolOf)
	a.spins[0] = s.submit(alice, `#!/bin/sh
srun --ntasks=2 /usr/bin/python3 spin.py 4
srun --ntasks=2 sh -c '/usr/bin/python3 spin.py 2; exit 0'
i=0
while [ $i -lt 30 ]; do /bin/true; i=$((i + 1)); done
`, "--ntasks=2", "--chdir="+alice.home, "--job-name=spin")
	a.spins[1] = s.submit(bob, "#!/bin/sh\n/usr/bin/python3 pool.py 6\nsrun /bin/true\n", "--ntasks=2", "--chdir="+bob.home)
	ids := append(a.spins[:],
		s.submit(alice, "#!/bin/sh\nsrun sh -c 'exit 3'\nsrun sh -c 'kill -KILL $$'\nsrun /bin/true\nexit 2\n", "--job-name=a|b"),
		s.submit(bob, "#!/bin/sh\nsrun /bin/true\nexit $SLURM_ARRAY_TASK_ID\n", "--array=0-2", "--ntasks=1"),
		s.submit(alice, "#!/bin/sh\nsrun --het-group=0,1 /bin/true\n", "--ntasks=1", ":", "--ntasks=1"))
	cancelled := s.submit(alice, "#!/bin/sh\n/bin/true up\nsleep 600\n")
	eventually(t, time.Minute, func() error {
		a.d.flush()
		if a.d.count("SELECT count(*) FROM runs WHERE raw_job_id = ? AND command_line LIKE '%true up'", cancelled) == 0 {
			return fmt.Errorf("job %s has not begun", cancelled)
		}
		return nil
	})
	output(t, s.command("scancel", cancelled))
	for _, id := range append(ids, cancelled) {
		s.over(id)
	}
}

// read reads sacct, once slurmdbd has all of it.
func (a *accounted) read(t *testing.T) {
	t.Helper()
	const columns = "JobIDRaw,JobID,Cluster,User,UID,Account,Partition,JobName,State,ExitCode,Submit,Start,End,ElapsedRaw," +
		"NNodes,AllocCPUS,AllocTRES,NodeList,TotalCPU"
	eventually(t, time.Minute, func() error {
		cmd := a.s.command("sacct", "-P", "-a", "-D", "--delimiter="+delimiter, "-o", columns)
		cmd.Env = append(cmd.Env, "SLURM_TIME_FORMAT=%s")
		a.text = output(t, cmd)
		a.jobs, a.steps = map[string]sacctRow{}, map[string]sacctRow{}
		for _, row := range parseSacct(t, a.text) {
			id := row["JobIDRaw"]
			if row["State"] == "RUNNING" || row["State"] == "PENDING" || row["End"] == "Unknown" {
				return fmt.Errorf("job or step %s is %s for sacct", id, row["State"])
			}
			switch _, step, isStep := strings.Cut(id, "."); {
			case !isStep:
				a.jobs[id] = row
			case step != "extern": // no program of a user runs there
				a.steps[id] = row
			}
		}
		if len(a.jobs) != 9 {
			return fmt.Errorf("sacct tells of %d jobs, want 9:\n%s", len(a.jobs), a.text)
		}
		return nil
	})
	t.Logf("sacct says:\n%s", a.text)
}

// delimiter stands between sacct's columns: a job's name holds the usual one.
const delimiter = "<pm>"

func parseSacct(t *testing.T, text string) []sacctRow {
	t.Helper()
	var header []string
	var rows []sacctRow
	for l := range strings.Lines(text) {
		values := strings.Split(strings.TrimSuffix(l, "\n"), delimiter)
		if header == nil {
			header = values
			continue
		}
		if len(values) != len(header) {
			t.Fatalf("a line of sacct has %d columns of %d: %q", len(values), len(header), l)
		}
		row := sacctRow{}
		for i, name := range header {
			row[name] = values[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// jobsAgree: the jobs that procmon's runs are in are those that sacct knows, by
// id, user and account.
func (a *accounted) jobsAgree(t *testing.T) {
	want, got := map[string]string{}, map[string]string{}
	for raw, j := range a.jobs {
		want[raw] = fmt.Sprint(j["JobID"], " ", j["Cluster"], " ", j["User"], " ", j["UID"], " ", j["Account"], " ", j["Partition"])
	}
	// No programs run in the later components of the heterogeneous job but
	// those of its step.
	a.d.query(`SELECT DISTINCT raw_job_id, job_id, cluster, user, uid, account, partition FROM runs WHERE cluster = ?`, []any{a.s.cluster},
		func(scan func(...any) error) error {
			var raw, id, cluster, user, uid, account, partition string
			err := scan(&raw, &id, &cluster, &user, &uid, &account, &partition)
			if before, ok := got[raw]; ok {
				t.Errorf("job %s is known in two ways: %q", raw, before)
			}
			got[raw] = fmt.Sprint(id, " ", cluster, " ", user, " ", uid, " ", account, " ", partition)
			return err
		})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("jobs of sacct (-) and of the recorded runs (+) differ:\n%s", diff)
	}
}

// stepsAgree: the steps too, and each ended as the first program of its task did.
func (a *accounted) stepsAgree(t *testing.T) {
	want, got := map[string]string{}, map[string]string{}
	for id, s := range a.steps {
		want[id] = s["ExitCode"]
	}
	a.d.query(`SELECT raw_job_id || '.' || step_id, ifnull(exit_code, 0) || ':' || ifnull(exit_signal, 0), outcome
		FROM runs WHERE cluster = ? ORDER BY start DESC`, []any{a.s.cluster},
		func(scan func(...any) error) error {
			var step, exit, outcome string
			err := scan(&step, &exit, &outcome)
			got[step] = exit // the earliest stays
			return err
		})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps and exit codes of sacct (-) and of the recorded runs (+) differ:\n%s", diff)
	}
}

// cpuAgrees: the jobs that use much CPU used as much for procmon as for Slurm.
func (a *accounted) cpuAgrees(t *testing.T) {
	for _, raw := range a.spins {
		want := cpuTime(t, a.jobs[raw]["TotalCPU"])
		var all, long float64
		a.d.query(`SELECT cpu_seconds, elapsed_seconds FROM runs WHERE raw_job_id = ? AND cluster = ? AND cpu_seconds IS NOT NULL`, []any{raw, a.s.cluster},
			func(scan func(...any) error) error {
				var cpu, elapsed float64
				err := scan(&cpu, &elapsed)
				all += cpu
				if elapsed >= 0.1 {
					long += cpu
				}
				return err
			})
		t.Logf("job %s: sacct %.3f s, runs %.3f s (%+.2f %%), of which %.1f %% of runs of 0.1 s or more", raw, want, all, (all/want-1)*100, long/all*100)
		if want < 10 || long < 0.95*all {
			t.Errorf("job %s used %.1f s of CPU, %.1f of %.1f in longer runs: not what this test needs", raw, want, long, all)
		}
		if math.Abs(all-want) > 0.02*want {
			t.Errorf("job %s used %.3f s of CPU for sacct, %.3f s for procmon: more than 2 %% apart", raw, want, all)
		}
	}
}

// cpuTime reads sacct's [days-][hours:]minutes:seconds.
func cpuTime(t *testing.T, text string) float64 {
	t.Helper()
	var total float64
	days, rest, ok := strings.Cut(text, "-")
	if !ok {
		days, rest = "0", text
	}
	for _, part := range strings.Split(rest, ":") {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil {
			t.Fatalf("TotalCPU %q: %v", text, err)
		}
		total = total*60 + n
	}
	n, err := strconv.ParseFloat(days, 64)
	if err != nil {
		t.Fatalf("TotalCPU %q: %v", text, err)
	}
	return n*86400 + total
}

// imported: the index says of each job what sacct does, however often that is
// imported.
func (a *accounted) imported(t *testing.T) {
	for _, want := range []string{fmt.Sprintf("%d jobs new", len(a.jobs)), fmt.Sprintf("%d known already", len(a.jobs))} {
		cmd := a.s.command(a.f.program("procmon-report"), "import-jobs", "--strict", "--delimiter", delimiter, "--index", a.d.index, "-")
		cmd.Stdin = strings.NewReader(a.text)
		said, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(said), want) {
			t.Errorf("import-jobs said %q, %v; want %q", said, err, want)
		}
	}
	got := map[string]sacctRow{}
	a.d.query(`SELECT raw_job_id, job_id, cluster, user, uid, account, partition, job_name, state,
		ifnull(exit_code, 0) || ':' || ifnull(exit_signal, 0), submit, start, "end", ifnull(elapsed_seconds, 0), nodes, cpus, node_list, ifnull(cpu_seconds, 0) FROM allocations`, nil,
		func(scan func(...any) error) error {
			var raw, id, cluster, user, uid, account, partition, name, state, exit, nodes, cpus, list string
			var submit, start, end, elapsed, cpu float64
			err := scan(&raw, &id, &cluster, &user, &uid, &account, &partition, &name, &state, &exit, &submit, &start, &end, &elapsed, &nodes, &cpus, &list, &cpu)
			got[raw] = sacctRow{"JobIDRaw": raw, "JobID": id, "Cluster": cluster, "User": user, "UID": uid, "Account": account,
				"Partition": partition, "JobName": name, "State": state, "ExitCode": exit, "Submit": fmt.Sprint(int(submit)),
				"Start": fmt.Sprint(int(start)), "End": fmt.Sprint(int(end)), "ElapsedRaw": fmt.Sprint(elapsed), "NNodes": nodes,
				"AllocCPUS": cpus, "NodeList": list, "TotalCPU": fmt.Sprintf("%.3f", cpu)}
			return err
		})
	want := map[string]sacctRow{}
	for raw, j := range a.jobs {
		j = maps.Clone(j)
		delete(j, "AllocTRES")
		j["State"], _, _ = strings.Cut(j["State"], " ") // CANCELLED by 0
		j["TotalCPU"] = fmt.Sprintf("%.3f", cpuTime(t, j["TotalCPU"]))
		want[raw] = j
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("jobs of sacct (-) and in the index (+) differ:\n%s", diff)
	}
}
