package integration

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rsyslog is a private rsyslogd with the configuration that we ship.
type rsyslog struct {
	t      *testing.T
	dir    string
	socket string
	file   string // the JSON lines
	cmd    *exec.Cmd
}

func startRsyslog(t *testing.T, f *fixture) *rsyslog {
	t.Helper()
	needs(t, "rsyslogd")
	dir := f.tempDir(t)
	r := &rsyslog{t: t, dir: dir, socket: dir + "/log.sock", file: dir + "/procmon"}
	shipped, err := os.ReadFile(f.tree + "/contrib/rsyslog/procmon.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf := strings.NewReplacer("/run/procmon/log.sock", r.socket, "/var/log/procmon", r.file).Replace(string(shipped))
	if !strings.Contains(conf, r.socket) || !strings.Contains(conf, r.file) {
		t.Fatal("contrib/rsyslog/procmon.conf names other paths than this test thinks")
	}
	conf = "global(workDirectory=\"" + dir + "\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\n" + conf
	if err := os.WriteFile(dir+"/rsyslog.conf", []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	r.start()
	t.Cleanup(func() { r.end(syscall.SIGTERM) })
	return r
}

func (r *rsyslog) start() {
	r.t.Helper()
	cmd := exec.Command("rsyslogd", "-n", "-f", r.dir+"/rsyslog.conf", "-i", r.dir+"/pid")
	log, err := os.Create(r.dir + "/rsyslogd.log")
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.cmd = cmd
	eventually(r.t, 20*time.Second, func() error {
		c, err := net.Dial("unixgram", r.socket)
		if err == nil {
			c.Close()
		}
		return err
	})
}

func (r *rsyslog) end(s syscall.Signal) {
	r.t.Helper()
	if r.cmd == nil {
		return
	}
	r.cmd.Process.Signal(s)
	_ = r.cmd.Wait() // it ends by a signal
	r.cmd = nil
	os.Remove(r.dir + "/pid") // of a killed one
}
