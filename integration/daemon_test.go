package integration

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"procmon/index"
)

// daemon is a procmond with an index, a file of JSON lines, a jobs directory
// and a control socket of its own.
type daemon struct {
	t       *testing.T
	f       *fixture
	dir     string
	index   string
	lines   string // where its JSON lines end up
	jobs    string
	control string
	args    []string
	program string
	missing *int // runs that expect did not find and took for lost

	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended
	log   *logBuffer
}

// logBuffer is written by the daemon while a test may read it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newDaemon prepares a daemon; args go behind its own and win.
func newDaemon(t *testing.T, f *fixture, args ...string) *daemon {
	t.Helper()
	dir := f.tempDir(t)
	d := &daemon{
		t: t, f: f, dir: dir, args: args, program: f.program("procmond"),
		index: dir + "/procmon.db", lines: dir + "/runs.jsonl", jobs: dir + "/jobs", control: dir + "/control.sock",
		log: new(logBuffer), missing: new(int),
	}
	if err := os.Mkdir(d.jobs, 0o755); err != nil {
		t.Fatal(err)
	}
	// An empty configuration: that of the machine must not count.
	if err := os.WriteFile(dir+"/procmond.toml", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.running() {
			d.stop()
		}
		if t.Failed() {
			t.Logf("procmond said:\n%s", d.log)
		}
	})
	return d
}

// startDaemon is newDaemon and start.
func startDaemon(t *testing.T, f *fixture, args ...string) *daemon {
	t.Helper()
	d := newDaemon(t, f, args...)
	d.start()
	return d
}

func (d *daemon) command() *exec.Cmd {
	args := append([]string{"run", "--config", d.dir + "/procmond.toml", "--index-path", d.index,
		"--syslog-address", "file:" + d.lines, "--syslog-spool", d.dir + "/spool", "--jobs-dir", d.jobs, "--control-socket", d.control, "--bpf-pin", "off"}, d.args...)
	cmd := exec.Command(d.program, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stderr, cmd.Stdout = d.log, d.log
	return cmd
}

// start returns when the daemon says to its service manager that it is ready.
func (d *daemon) start() {
	d.t.Helper()
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(d.dir, "notify"), Net: "unixgram"})
	if err != nil {
		d.t.Fatal(err)
	}
	defer os.Remove(filepath.Join(d.dir, "notify"))
	defer notify.Close()

	cmd := d.command()
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+filepath.Join(d.dir, "notify"))
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan struct{})
	d.cmd, d.ended = cmd, ended
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(ended)
		notify.SetReadDeadline(time.Now())
	}()
	notify.SetReadDeadline(time.Now().Add(30 * time.Second))
	for buf := make([]byte, 4096); ; {
		n, err := notify.Read(buf)
		if err != nil {
			d.t.Fatalf("procmond does not become ready: %v\n%s", err, d.log)
		}
		if strings.Contains("\n"+string(buf[:n])+"\n", "\nREADY=1\n") {
			return
		}
	}
}

func (d *daemon) running() bool {
	if d.cmd == nil {
		return false
	}
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// stop ends the daemon as its service manager does; it must end well.
func (d *daemon) stop() {
	d.t.Helper()
	d.signal(syscall.SIGTERM)
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		d.t.Errorf("procmond ended with %v on SIGTERM\n%s", d.cmd.ProcessState, d.log)
	}
}

// signal sends a signal that ends the daemon, and waits for that.
func (d *daemon) signal(s syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
	select {
	case <-d.ended:
	case <-time.After(40 * time.Second):
		d.cmd.Process.Kill()
		<-d.ended
		d.t.Fatalf("procmond did not end within 40 s of %v\n%s", s, d.log)
	}
}

// flush returns when all that happened before is in the index and sent on.
func (d *daemon) flush() {
	d.t.Helper()
	output(d.t, exec.CommandContext(d.t.Context(), d.f.program("procmond"), "flush", "--control-socket", d.control))
}

// row is a run in the index.
type row struct {
	Start                        float64
	User, Cluster, Job, Raw      string
	Step, Application, Kind      string
	Executable, Command, Outcome string
	Evidence                     string
	UID, EUID                    uint32
	CPU                          float64
	Adopted                      bool
}

// rows gives the runs in the index whose last argument is arg, which needs no
// quoting.
func (d *daemon) rows(arg string) []row {
	d.t.Helper()
	var rows []row
	d.query(`SELECT start, ifnull(user,''), ifnull(cluster,''), ifnull(job_id,''), ifnull(raw_job_id,''), ifnull(step_id,''),
		ifnull(application,''), ifnull(kind,''), ifnull(executable,''), ifnull(command_line,''), ifnull(outcome,''),
		ifnull(job_evidence,''), uid, euid, ifnull(cpu_seconds,0), adopted
		FROM runs WHERE command_line LIKE '% ' || ? ORDER BY run_id`, []any{arg}, func(scan func(...any) error) error {
		var r row
		err := scan(&r.Start, &r.User, &r.Cluster, &r.Job, &r.Raw, &r.Step, &r.Application, &r.Kind, &r.Executable, &r.Command,
			&r.Outcome, &r.Evidence, &r.UID, &r.EUID, &r.CPU, &r.Adopted)
		rows = append(rows, r)
		return err
	})
	return rows
}

// count gives the single number of a query.
func (d *daemon) count(query string, args ...any) int {
	d.t.Helper()
	var n int
	d.query(query, args, func(scan func(...any) error) error { return scan(&n) })
	return n
}

func (d *daemon) query(query string, args []any, each func(scan func(...any) error) error) {
	d.t.Helper()
	r, err := index.OpenReader(context.Background(), d.index)
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Close()
	rows, err := r.DB().Query(query, args...)
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			d.t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
}
