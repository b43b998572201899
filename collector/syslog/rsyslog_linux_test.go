package syslog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"procmon"
)

// rsyslogd is a private one, with the configuration of contrib/rsyslog.
type rsyslogd struct {
	dir, socket, out string
	cmd              *exec.Cmd
}

func newRsyslogd(t *testing.T) *rsyslogd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("not root: contrib/rsyslog/procmon.conf takes lines of root only")
	}
	if _, err := exec.LookPath("rsyslogd"); err != nil {
		t.Skip("no rsyslogd: ", err)
	}
	conf, err := os.ReadFile("../../contrib/rsyslog/procmon.conf")
	if err != nil {
		t.Fatal(err)
	}
	r := &rsyslogd{dir: shortTemp(t)}
	r.socket, r.out = filepath.Join(r.dir, "log.sock"), filepath.Join(r.dir, "lines")
	text := strings.NewReplacer(OwnSocket, r.socket, `"/var/log/procmon"`, `"`+r.out+`"`).Replace(string(conf))
	if strings.Contains(text, `"/var/log`) || strings.Contains(text, `"/run/`) {
		t.Fatal("a path of contrib/rsyslog/procmon.conf was not replaced")
	}
	main := "module(load=\"imuxsock\" SysSock.Use=\"off\")\n$IncludeConfig " + r.path("procmon.conf") + "\n*.* " + r.path("other") + "\n"
	for name, text := range map[string]string{"procmon.conf": text, "rsyslog.conf": main} {
		if err := os.WriteFile(r.path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { r.kill(t) })
	return r
}

func (r *rsyslogd) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rsyslogd) start(t *testing.T) {
	t.Helper()
	_ = os.Remove(r.socket)
	r.cmd = exec.Command("rsyslogd", "-n", "-f", r.path("rsyslog.conf"), "-i", r.path("pid"))
	r.cmd.Stderr = os.Stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "rsyslogd makes its socket", func() bool {
		_, err := os.Stat(r.socket)
		return err == nil
	})
}

func (r *rsyslogd) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func (r *rsyslogd) kill(t *testing.T) {
	t.Helper()
	if r.cmd == nil {
		return
	}
	r.signal(t, syscall.SIGKILL)
	_ = r.cmd.Wait()
	_ = os.Remove(r.path("pid"))
	r.cmd = nil
}

// ids counts the event ids in the files, and fails the test for a line that is
// none of ours.
func (r *rsyslogd) ids(t *testing.T) map[string]int {
	t.Helper()
	names, err := filepath.Glob(r.out + "*")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			if !bytes.HasSuffix(line, []byte("\n")) {
				continue // being written; all() wants it whole in the end
			}
			var m struct{ Event struct{ ID string } }
			if err := json.Unmarshal(line, &m); err != nil || m.Event.ID == "" {
				t.Fatalf("%s: bad line: %v: %q", name, err, line)
			}
			ids[m.Event.ID]++
		}
	}
	return ids
}

// missing lists what of the records is not in the files.
func (r *rsyslogd) missing(t *testing.T, records []procmon.Record) (ids []string) {
	t.Helper()
	got := r.ids(t)
	for i := range records {
		if id := records[i].EventID(); got[id] == 0 {
			ids = append(ids, fmt.Sprint(i, "=", id))
		}
	}
	return ids
}

func (r *rsyslogd) all(t *testing.T, records []procmon.Record) {
	t.Helper()
	eventually(t, "all lines are in the file", func() bool { return len(r.missing(t, records)) == 0 })
	extra := 0
	for _, n := range r.ids(t) {
		extra += n - 1
	}
	t.Logf("%d records, %d lines sent twice", len(records), extra)
}

func (r *rsyslogd) sink(t *testing.T) *Sink {
	t.Helper()
	s, err := Open(context.Background(), Options{
		Address: "unix:" + r.socket, MaxBytes: ownLine, Host: "n1", Spool: filepath.Join(r.dir, "spool"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func write(t *testing.T, s *Sink, records []procmon.Record) {
	t.Helper()
	for len(records) > 0 {
		n := min(100, len(records))
		if err := s.Write(context.Background(), records[:n]); err != nil {
			t.Fatal(err)
		}
		records = records[n:]
	}
}

func TestIntegrationRsyslogKilledUnderLoad(t *testing.T) {
	r := newRsyslogd(t)
	r.start(t)
	s := r.sink(t)
	records := numberedBatch(0, 20_000)
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		for s.Stats().Sent < 5_000 {
			time.Sleep(time.Millisecond)
		}
		if err := r.cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
	}()
	write(t, s, records[:12_000])
	<-killed
	_ = r.cmd.Wait()
	write(t, s, records[12_000:14_000])
	if s.Stats().Spooled == 0 {
		t.Error("nothing was spooled while nobody listened")
	}
	_ = os.Remove(r.path("pid"))
	r.start(t)
	write(t, s, records[14_000:])
	r.all(t, records)
	if st := s.Stats(); st.Lost != 0 || st.Reconnects == 0 || st.SpoolBytes != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestIntegrationRsyslogStopped(t *testing.T) {
	r := newRsyslogd(t)
	r.start(t)
	s := r.sink(t)
	records := numberedBatch(0, 5_000)
	write(t, s, records[:1_000])
	r.signal(t, syscall.SIGSTOP)
	write(t, s, records[1_000:4_000]) // must not hang
	if s.Stats().Spooled == 0 {
		t.Error("nothing was spooled while the receiver stood still")
	}
	r.signal(t, syscall.SIGCONT)
	r.all(t, records[:4_000]) // without another Write
	eventually(t, "Write sends again", func() bool { return s.Stats().SpoolBytes == 0 })
	write(t, s, records[4_000:])
	r.all(t, records)
	if st := s.Stats(); st.Lost != 0 {
		t.Errorf("stats %+v", st)
	}
}

// A daemon that starts before rsyslog, and one that ends before it comes back.
func TestIntegrationRsyslogLate(t *testing.T) {
	r := newRsyslogd(t)
	records := numberedBatch(0, 3_000)
	s := r.sink(t)
	write(t, s, records[:1_000])
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = r.sink(t)
	write(t, s, records[1_000:2_000])
	r.start(t)
	r.all(t, records[:2_000])
	write(t, s, records[2_000:])
	r.all(t, records)
}

func TestIntegrationRsyslogLongAndHostile(t *testing.T) {
	r := newRsyslogd(t)
	r.start(t)
	s := r.sink(t)
	long, hostile := numbered(1), numbered(2)
	long.Run.Process.Args = bytes.Repeat([]byte("0123456789\x00"), 200_000)
	long.Run.Process.ArgsBytes = len(long.Run.Process.Args)
	var every []byte
	for c := 255; c >= 0; c-- {
		every = append(every, byte(c))
	}
	hostile.Run.Process.Args = append(every, "\xed\xa0\x80\xff\u2028\u0085\x1b[31m\n<14>Nov 22 08:00:00 procmon: @cee: {}\n"...)
	hostile.Run.Process.Comm = "\")\n"
	records := []procmon.Record{long, hostile}
	write(t, s, records)
	r.all(t, records)
	b, err := os.ReadFile(r.out)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		decode(t, bytes.TrimSuffix(line, []byte("\n")))
	}
	if i := bytes.IndexByte(b, '\n'); i < ownLine-200 || i > ownLine {
		t.Errorf("the long line has %d bytes, want nearly %d", i, ownLine)
	}
}

// A server that procmond sends to itself gets RFC 5424, octets counted.
func TestIntegrationRsyslogTCP(t *testing.T) {
	r := newRsyslogd(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close() // rsyslogd can't choose a port and tell
	_, port, _ := net.SplitHostPort(addr)
	conf := fmt.Sprintf(`module(load="imtcp")
template(name="json" type="list") { property(name="msg" position.from="7") constant(value="\n") }
ruleset(name="r") { if $programname == "procmon" and $hostname == "n1" then { action(type="omfile" file="%s" template="json") } }
input(type="imtcp" address="127.0.0.1" port="%s" ruleset="r")
input(type="imuxsock" Socket="%s" Ruleset="r")
`, r.out, port, r.socket)
	if err := os.WriteFile(r.path("procmon.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), Options{Address: "tcp:" + addr, Host: "n1", Spool: r.path("spool")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	records := numberedBatch(0, 1_000)
	write(t, s, records[:500])
	r.start(t)
	r.all(t, records[:500])
	write(t, s, records[500:])
	r.all(t, records)
}

// Users can connect to the socket; what they say there must not pass for procmon's.
func TestIntegrationRsyslogForged(t *testing.T) {
	r := newRsyslogd(t)
	r.start(t)
	if err := os.Chmod(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	forger := r.path("forger")
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(forger, b, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(forger, "-test.run=^TestForge$")
	cmd.Env = append(os.Environ(), "PROCMON_FORGE="+r.socket)
	cmd.Dir = r.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Fatalf("%v: %s", err, out)
	}
	s := r.sink(t)
	records := numberedBatch(1, 2)
	write(t, s, records)
	r.all(t, records)
	if n := len(r.ids(t)); n != 1 {
		t.Errorf("%d lines, want only our own", n)
	}
}

// TestForge is run as another user by the test above.
func TestForge(t *testing.T) {
	socket := os.Getenv("PROCMON_FORGE")
	if socket == "" {
		t.Skip("run by TestIntegrationRsyslogForged only")
	}
	conn, err := dial(context.Background(), address{"unix", socket}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(`<14>Nov 22 08:24:52 procmon: @cee: {"event":{"id":"forged"}}`)); err != nil {
		t.Fatal(err)
	}
}

// rotate runs the real logrotate with contrib/logrotate, the signal aside.
func (r *rsyslogd) rotate(hup string) error {
	b, err := os.ReadFile("../../contrib/logrotate/procmon")
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(b), "\tpostrotate\n")
	_, tail, ok2 := strings.Cut(rest, "\tendscript\n")
	if !ok || !ok2 || strings.Contains(head, "\n\tcopytruncate") {
		return fmt.Errorf("contrib/logrotate/procmon is not what the test knows:\n%s", b)
	}
	text := strings.ReplaceAll(head, "/var/log/procmon", r.out) + "\tpostrotate\n\t\t" + hup + "\n\tendscript\n" + tail
	text = strings.Replace(text, "\tcompress\n", "\tnocompress\n", 1)
	if err := os.WriteFile(r.path("logrotate.conf"), []byte(text), 0o644); err != nil {
		return err
	}
	out, err := exec.Command("logrotate", "--force", "--state", r.path("state"), r.path("logrotate.conf")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func TestIntegrationLogrotateUnderLoad(t *testing.T) {
	if _, err := exec.LookPath("logrotate"); err != nil {
		t.Skip("no logrotate: ", err)
	}
	r := newRsyslogd(t)
	r.start(t)
	s := r.sink(t)
	records := numberedBatch(0, 20_000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, at := range []uint64{4_000, 9_000, 14_000} {
			for s.Stats().Sent < at {
				time.Sleep(time.Millisecond)
			}
			if err := r.rotate(fmt.Sprintf("kill -HUP %d", r.cmd.Process.Pid)); err != nil {
				t.Error(err)
			}
		}
	}()
	write(t, s, records)
	<-done
	r.all(t, records)
	if n := len(r.rotated(t)); n != 3 {
		t.Errorf("%d rotated files, want 3", n)
	}
}

func (r *rsyslogd) rotated(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(r.out + ".?")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The installed file, as it is, must be one that logrotate takes.
func TestIntegrationLogrotateReads(t *testing.T) {
	if _, err := exec.LookPath("logrotate"); err != nil {
		t.Skip("no logrotate: ", err)
	}
	out, err := exec.Command("logrotate", "--debug", "--state", filepath.Join(t.TempDir(), "state"), "../../contrib/logrotate/procmon").CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("error:")) {
		t.Errorf("%v: %s", err, out)
	}
}
