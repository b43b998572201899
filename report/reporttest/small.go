package reporttest

import (
	"testing"
	"time"

	"procmon"
)

// Small makes an index of two hosts: a batch job with steps, an array job of
// two tasks, programs outside jobs, something without a name, text that
// users made to do harm, an upper bound, losses and a gap. All of it lies in the three days before Now.
func Small(t testing.TB) string {
	t.Helper()
	day := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	records := []procmon.Record{}
	for _, r := range smallRuns(day) {
		records = append(records, r.Record())
	}
	batch := SlurmJob("1234", "1234", "", "alice", "chem")
	batch.UID = 1001
	records = append(records, procmon.Record{Time: day.Add(2 * time.Hour), Summary: &procmon.JobSummary{
		Job: batch, CPUs: 8, GPUs: 1, Start: day.Add(-time.Second), End: day.Add(2 * time.Hour),
	}})
	path := Write(t, "n1", records...)
	Append(t, path, "n2",
		Run{
			At: day.Add(3 * time.Minute), PID: 900, PPID: 890, User: "alice", UID: 1001, Job: SlurmJob("1234", "1234", "0", "alice", "chem"),
			Application: gromacs("2023.3"), Exe: "/apps/GROMACS/2023.3-foss-2023a/bin/gmx_mpi", Args: []string{"gmx_mpi", "mdrun", "-s", "run a.tpr"},
			Elapsed: time.Hour, CPU: 3*time.Hour + 30*time.Minute, RSS: 3 << 30, Read: 5 << 20, Write: 1 << 30,
		}.Record(),
		procmon.Record{Time: day, Seq: 1, Loss: &procmon.Loss{
			Count: 12, CPU: 1, From: day.Add(time.Hour), To: day.Add(time.Hour + time.Second), Reason: procmon.LossBuffer, Where: "procconn",
		}},
		procmon.Record{Time: day, Seq: 2, Loss: &procmon.Loss{
			CPU: -1, From: day.Add(-time.Hour), To: day.Add(-30 * time.Minute), Reason: procmon.LossStopped, Where: "procconn",
		}},
		procmon.Record{Time: day, Seq: 3, Loss: &procmon.Loss{
			Count: 3, CPU: -1, From: day.Add(3 * time.Hour), To: day.Add(3*time.Hour + time.Second), Reason: procmon.LossUsage, Where: "procconn",
		}},
	)
	return path
}

func gromacs(version string) procmon.Application {
	return procmon.Application{
		Name: "GROMACS", Version: version, Kind: procmon.KindApplication, Package: "GROMACS/" + version + "-foss-2023a", Evidence: "easybuild", Rules: "1",
	}
}

func smallRuns(day time.Time) []Run {
	bash := procmon.Application{Name: "bash", Version: "5.2", Kind: procmon.KindShell, Evidence: "dpkg"}
	srun := procmon.Application{Name: "Slurm", Version: "22.05", Kind: procmon.KindLauncher, Evidence: "dpkg"}
	python := procmon.Application{Name: "Python", Version: "3.11.2", Kind: procmon.KindInterpreter, Evidence: "dpkg"}
	batch := SlurmJob("1234", "1234", "batch", "alice", "chem")
	step := SlurmJob("1234", "1234", "0", "alice", "chem")
	minute := func(n int) time.Time { return day.Add(time.Duration(n) * time.Minute) }
	return []Run{
		{At: minute(0), PID: 100, PPID: 90, User: "alice", UID: 1001, Job: batch, Application: bash,
			Exe: "/usr/bin/bash", Args: []string{"/bin/bash", "/var/spool/slurmd/job01234/slurm_script"}, Elapsed: 2 * time.Hour, CPU: 20 * time.Millisecond, RSS: 4 << 20},
		{At: minute(1), PID: 101, PPID: 100, Parent: minute(0), User: "alice", UID: 1001, Job: batch, Application: gromacs("2023.3"),
			Exe: "/apps/GROMACS/2023.3-foss-2023a/bin/gmx", Args: []string{"gmx", "grompp"}, Elapsed: 30 * time.Second, CPU: 28 * time.Second, RSS: 200 << 20, Read: 1 << 20, Write: 2 << 20},
		{At: minute(2), PID: 102, PPID: 100, Parent: minute(0), User: "alice", UID: 1001, Job: batch, Application: srun,
			Exe: "/usr/bin/srun", Args: []string{"srun", "gmx_mpi", "mdrun"}, Elapsed: time.Hour, CPU: 300 * time.Millisecond, RSS: 9 << 20},
		{At: minute(3), PID: 110, PPID: 105, User: "alice", UID: 1001, Job: step, Application: gromacs("2023.3"),
			Exe: "/apps/GROMACS/2023.3-foss-2023a/bin/gmx_mpi", Args: []string{"gmx_mpi", "mdrun", "-s", "run a.tpr"}, Elapsed: time.Hour, CPU: 4 * time.Hour,
			RSS: 3<<30 + 400<<20, Read: 5 << 20, Write: 1 << 30},
		{At: minute(70), PID: 120, PPID: 100, Parent: minute(0), User: "alice", UID: 1001, Job: batch,
			Exe: "/home/alice/bin/analyse", Args: []string{"./analyse", "traj.xtc"}, Elapsed: 10 * time.Minute, CPU: 9 * time.Minute, RSS: 700 << 20, Bound: true, Exit: procmon.Exit{Signal: 11}},
		{At: minute(100), PID: 200, PPID: 190, User: "bob", UID: 1002, Job: SlurmJob("1300_1", "1301", "batch", "bob", "bio"), Application: gromacs("2024.1"),
			Exe: "/apps/GROMACS/2024.1-foss-2023b/bin/gmx", Args: []string{"gmx", "mdrun"}, Elapsed: 20 * time.Minute, CPU: time.Hour, RSS: 1 << 30},
		{At: minute(101), PID: 210, PPID: 191, User: "bob", UID: 1002, Job: SlurmJob("1300_2", "1300", "batch", "bob", "bio"), Application: gromacs("2024.1"),
			Exe: "/apps/GROMACS/2024.1-foss-2023b/bin/gmx", Args: []string{"gmx", "mdrun"}, Elapsed: 20 * time.Minute, CPU: time.Hour, RSS: 1 << 30, Exit: procmon.Exit{Code: 1}},
		{At: minute(1500), PID: 300, PPID: 1, User: "bob", UID: 1002, Application: python,
			Exe: "/usr/bin/python3.11", Args: []string{"python3", "plot.py", "\x1b[2J\x1b[31mred", "line\nbreak", "bad\xff"}, Elapsed: 3 * time.Second, CPU: 2 * time.Second, RSS: 90 << 20},
		{At: minute(1501), PID: 301, PPID: 1, UID: 4242,
			Exe: "=cmd|' /C calc'!A0", Args: []string{"=cmd"}, Elapsed: time.Second, CPU: 100 * time.Millisecond, RSS: 1 << 20},
		{At: minute(1510), PID: 302, PPID: 1, User: "bob", UID: 1002, Application: python, Exe: "/usr/bin/python3.11", Args: []string{"python3", "-"}, Open: true},
	}
}
