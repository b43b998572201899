package accounting

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

var update = flag.Bool("update", false, "write the golden files anew")

// readAll reads a file to its end: what it tells of jobs, and its bad lines.
func readAll(t testing.TB, in io.Reader, opts Options) (jobs []procmon.Accounted, bad []string, r *Reader, err error) {
	t.Helper()
	r = NewReader(in, opts)
	for {
		a, err := r.Next()
		var line *LineError
		switch {
		case err == nil:
			jobs = append(jobs, a)
		case errors.As(err, &line):
			bad = append(bad, err.Error())
		case errors.Is(err, io.EOF):
			return jobs, bad, r, nil
		default:
			return jobs, bad, r, err
		}
	}
}

// show writes a job in one line, without what is not told.
func show(a *procmon.Accounted) string {
	var b strings.Builder
	add := func(name string, v any) {
		if text := fmt.Sprint(v); text != "" && text != "0" && text != "0s" {
			fmt.Fprintf(&b, " %s=%s", name, text)
		}
	}
	j := &a.Job
	fmt.Fprintf(&b, "%s %s", j.RawID, j.ID)
	add("scheduler", j.Scheduler)
	add("sluid", j.SLUID)
	add("cluster", j.Cluster)
	add("array", j.ArrayJob+"/"+j.ArrayTask)
	add("het", j.HetJob+"/"+j.HetOffset)
	if j.By[procmon.JobUser] > 0 {
		add("user", j.User)
		if j.UID != procmon.NoUID {
			add("uid", fmt.Sprintf("%d ", j.UID))
		}
	}
	add("account", j.Account)
	add("partition", j.Partition)
	add("name", j.Name)
	if j.By[procmon.JobRestart] > 0 {
		add("restart", fmt.Sprint(" ", j.Restart))
	}
	add("state", a.State)
	if a.Over {
		add("over", "yes")
	}
	if a.Exit != nil {
		add("exit", fmt.Sprintf("%d:%d", a.Exit.Code, a.Exit.Signal))
	}
	add("cpus", a.CPUs)
	add("gpus", a.GPUs)
	add("nodes", a.Nodes)
	add("list", a.NodeList)
	for _, h := range a.Hosts {
		fmt.Fprintf(&b, " %s:%d:%d", h.Host, h.CPUs, h.GPUs)
	}
	for _, at := range []struct {
		name string
		t    time.Time
	}{{"submit", a.Submit}, {"start", a.Start}, {"end", a.End}} {
		if !at.t.IsZero() {
			add(at.name, at.t.Format(time.RFC3339))
		}
	}
	add("elapsed", a.Elapsed)
	add("cpu", a.CPU)
	return strings.NewReplacer(" array=/", "", " het=/", "").Replace(b.String())
}

// TestSamples reads every file of testdata, as the golden file beside it says.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d samples, error %v", len(files), err)
	}
	zone := time.FixedZone("CET", 3600)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			in, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			opts := Options{Zone: zone, Cluster: "other"}
			if strings.Contains(file, "delimiter") {
				opts.Delimiter = "f3a9c2"
			}
			jobs, bad, r, err := readAll(t, in, opts)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			for _, a := range jobs {
				fmt.Fprintln(&got, show(&a))
			}
			for _, line := range bad {
				fmt.Fprintln(&got, "!", line)
			}
			fmt.Fprintf(&got, "%+v\n", r.Counts())
			golden := strings.TrimSuffix(file, ".txt") + ".golden"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEvidence(t *testing.T) {
	jobs, _, _, err := readAll(t, strings.NewReader("JobIDRaw|JobID|User|Cluster\n9|4_5|alice|\n"), Options{})
	if err != nil || len(jobs) != 1 {
		t.Fatal(jobs, err)
	}
	var told []string
	for f, e := range jobs[0].Job.By {
		if e == procmon.EvidenceAccounting {
			told = append(told, procmon.JobField(f).String())
		}
	}
	if diff := cmp.Diff([]string{"id", "raw_id", "user"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if jobs[0].Job.UID != procmon.NoUID {
		t.Errorf("uid %d of a user of whom only the name is told", jobs[0].Job.UID)
	}
}

func TestFormat(t *testing.T) {
	for _, text := range []string{
		"hello\n", "\x00\x01\x02", "JobIDRaw\n1\n", "JobID  State\n----\n", "11/22/2026;E;1;user=a\n", strings.Repeat("x", 100000),
	} {
		if jobs, bad, _, err := readAll(t, strings.NewReader(text), Options{}); !errors.Is(err, ErrFormat) {
			t.Errorf("%.20q: %v %v, error %v", text, jobs, bad, err)
		}
	}
	if _, _, r, err := readAll(t, strings.NewReader("\n \n"), Options{}); err != nil || r.Counts() != (Counts{}) {
		t.Errorf("an empty file: %+v, %v", r.Counts(), err)
	}
}

// TestLongLine reads a line that is too long, and the one behind it.
func TestLongLine(t *testing.T) {
	text := "JobIDRaw|JobName\n1|" + strings.Repeat("x", maxLine) + "\n2|two\n3|no end of line"
	jobs, bad, _, err := readAll(t, strings.NewReader(text), Options{})
	if err != nil || len(jobs) != 2 || jobs[0].Job.Name != "two" || jobs[1].Job.RawID != "3" {
		t.Errorf("%d jobs, error %v", len(jobs), err)
	}
	if len(bad) != 1 || !strings.HasPrefix(bad[0], "line 2: ") {
		t.Errorf("bad lines: %v", bad)
	}
}

// TestReadError hands on what the reader says.
func TestReadError(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("JobIDRaw|JobName\n1|x\n"), errReader{})
	jobs, _, _, err := readAll(t, broken, Options{})
	if len(jobs) != 1 || !errors.Is(err, errDisk) {
		t.Errorf("%d jobs, error %v", len(jobs), err)
	}
}

var errDisk = errors.New("input/output error")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errDisk }

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "INVALID": 0, "0": 0, "90": 90 * time.Second, "00:00.004": 4 * time.Millisecond, "01:30": 90 * time.Second,
		"01:02:03": time.Hour + 2*time.Minute + 3*time.Second, "1-02:03:04": 26*time.Hour + 3*time.Minute + 4*time.Second,
		"120:00:00": 120 * time.Hour, "40:56:18": 40*time.Hour + 56*time.Minute + 18*time.Second, "00:00:59.999999": 59999999 * time.Microsecond,
	} {
		if got, err := span(text); got != want || err != nil {
			t.Errorf("%q is %v (error %v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "-1", "1-", "-", ":", "1:", "1:2:3:4", "1e3", "0x10", "1.2.3", "1.", "+5", "99999999-00:00:00", "NaN", "Inf"} {
		if got, err := span(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

func TestMoment(t *testing.T) {
	zone := time.FixedZone("", 3600)
	want := time.Date(2026, 11, 22, 7, 30, 9, 0, time.UTC)
	for _, text := range []string{"2026-11-22T08:30:09", "1795332609", "2026-11-22T08:30:09+01:00", "2026-11-22T07:30:09+0000", "2026-11-22T07:30:09Z"} {
		if got, err := moment(text, zone); !got.Equal(want) || err != nil {
			t.Errorf("%q is %v (error %v)", text, got, err)
		}
	}
	for _, text := range []string{"", "Unknown", "None", "N/A", "0"} {
		if got, err := moment(text, zone); !got.IsZero() || err != nil {
			t.Errorf("%q is %v (error %v)", text, got, err)
		}
	}
	for _, text := range []string{"08:30", "Ystday 08:30", "22 Nov 08:30", "2026-13-01T00:00:00", "1", "-5", "99999999999", "1970-01-01T00:00:00"} {
		if got, err := moment(text, zone); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

func TestExpand(t *testing.T) {
	for list, want := range map[string]string{
		"n1": "n1", "n1,n2": "n1 n2", "n[1-3,5],m007": "n1 n2 n3 n5 m007", "n[08-10]": "n08 n09 n10", "r[1-2]n[1,3]x": "r1n1x r1n3x r2n1x r2n3x",
		"": "", "n[": "", "n]": "", "n[1": "", "n[2-1]": "", "n[a-b]": "", "n[1-999999999]": "", "n[1-9999]m[1-9999]": "", "a,,b": "", "[[1]]": "",
	} {
		var names []string
		for _, h := range expand(list) {
			names = append(names, h.Host)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q is %.60q, want %q", list, got, want)
		}
	}
}

func TestSlots(t *testing.T) {
	for exec, want := range map[string]string{
		"n1/0": "n1:1:0", "n1/0*13+n2/0*13": "n1:13:0 n2:13:0", "n1/24": "n1:1:0", "n1/0+n1/1+n2/0": "n1:2:0 n2:1:0",
		"a.b.c/0-1,4+d/3": "a.b.c:3:0 d:1:0", "": "", "/0": "", "n1/0-99999999999": "n1:1:0", "n1/5-2": "n1:1:0",
	} {
		if got := strings.TrimSpace(showShares(slots(exec, ""))); got != want {
			t.Errorf("exec_host %q is %q, want %q", exec, got, want)
		}
	}
	if got := showShares(slots("n1/0-3+n2/0", "n1-gpu/0+n1-gpu/1+n3-gpu/0")); got != "n1:4:2 n2:1:0" {
		t.Errorf("GPUs: %q", got)
	}
	for exec, want := range map[string]string{
		"(n1:ncpus=2:ngpus=1)+(n2:ncpus=2:mem=1gb)": "n1:2:1 n2:2:0", "(n1[0]:ncpus=2+n1[1]:ncpus=3)": "n1:5:0", "(n1)": "n1:0:0", "": "", "()": "",
	} {
		if got := showShares(vnodes(exec)); got != want {
			t.Errorf("exec_vnode %q is %q, want %q", exec, got, want)
		}
	}
}

func showShares(list []procmon.HostShare) string {
	var parts []string
	for _, h := range list {
		parts = append(parts, fmt.Sprintf("%s:%d:%d", h.Host, h.CPUs, h.GPUs))
	}
	return strings.Join(parts, " ")
}

// FuzzReader reads anything: it ends, every line is counted once, and what it
// gives can be stored.
func FuzzReader(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("11/22/2026 08:00:00;E;1;a=\"b\" c=\"\n11/22/2026 08:00:00;E;;\n11/22/2026 08:00:00;S;[;start=9999999999999\n"))
	f.Add([]byte("JobId=1 UserId=( JobState= ExitCode=\n"))
	f.Add([]byte("jobid|jobidraw|start|nodelist\n1_2|3|2026-01-01T00:00:00|a[1-3],b\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		jobs, bad, r, err := readAll(t, bytes.NewReader(in), Options{})
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		c := r.Counts()
		if c.Jobs != len(jobs) || c.Bad != len(bad) || c.Lines != c.Jobs+c.Steps+c.Other+c.Bad {
			t.Errorf("%d jobs, %d bad lines, counted %+v", len(jobs), len(bad), c)
		}
		for _, a := range jobs {
			if a.Job.RawID == "" || a.CPUs < 0 || a.GPUs < 0 || a.Nodes < 0 || a.Elapsed < 0 || a.CPU < 0 || !a.Over && !a.End.IsZero() || len(a.Hosts) > mostHosts {
				t.Errorf("%s", show(&a))
			}
		}
	})
}
