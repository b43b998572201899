package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// procmond is the daemon with one of its sources, whole: mapping, JSON lines to
// a rsyslogd of its own, and index.
type procmond struct {
	o       *options
	flags   []string
	socket  string
	daemon  *child
	rsyslog *rsyslog // nil where there is none: the lines go to a file
}

// lineFile is where the JSON lines end.
const lineFile = "runs.jsonl"

func (p *procmond) start(ctx context.Context, dir string) (*processes, error) {
	ps := &processes{}
	address := "file:" + filepath.Join(dir, lineFile)
	if _, err := exec.LookPath("rsyslogd"); err == nil {
		if p.rsyslog, err = startRsyslog(ctx, dir, p.o.rsyslogConf); err != nil {
			return nil, err
		}
		address = "unix:" + p.rsyslog.socket
		ps.logger = []int{p.rsyslog.child.pid()}
	}
	p.socket = filepath.Join(dir, "procmond.sock")
	args := append([]string{"run", "--config", "/dev/null", "--index-path", filepath.Join(dir, "index.db"), "--syslog-address", address,
		"--syslog-spool", filepath.Join(dir, "spool"), "--jobs-dir", filepath.Join(dir, "jobs"), "--control-socket", p.socket}, p.flags...)
	var err error
	if p.daemon, err = startChild(dir, exec.Command(p.o.daemon, args...)); err != nil {
		return nil, err
	}
	ps.tool = []int{p.daemon.pid()}
	return ps, p.daemon.ready(ctx, func() error {
		_, err := os.Stat(p.socket)
		return err
	})
}

func (p *procmond) flush(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, p.o.daemon, "flush", "--config", "/dev/null", "--control-socket", p.socket).CombinedOutput()
	if err != nil {
		return fmt.Errorf("procmond flush: %w: %s", err, out)
	}
	return nil
}

func (p *procmond) stop() error {
	err := p.daemon.end(syscall.SIGTERM)
	if p.rsyslog != nil {
		err = errors.Join(err, p.rsyslog.stop())
	}
	return err
}

func (p *procmond) read(dir string, c *counter) error {
	return readFile(filepath.Join(dir, lineFile), c, readProcmond)
}

// rsyslog is a private rsyslogd with the configuration that procmon ships.
type rsyslog struct {
	child  *child
	socket string
	file   string
}

func startRsyslog(ctx context.Context, dir, conf string) (*rsyslog, error) {
	r := &rsyslog{socket: filepath.Join(dir, "log.sock"), file: filepath.Join(dir, lineFile)}
	shipped, err := os.ReadFile(conf)
	if err != nil {
		return nil, err
	}
	text := strings.NewReplacer("/run/procmon/log.sock", r.socket, "/var/log/procmon", r.file).Replace(string(shipped))
	if !strings.Contains(text, `"`+r.socket+`"`) || !strings.Contains(text, `"`+r.file+`"`) {
		return nil, fmt.Errorf("%s names another socket or file than procmon's own", conf)
	}
	text = "global(workDirectory=\"" + dir + "\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\n" + text
	own := filepath.Join(dir, "rsyslog.conf")
	logs := filepath.Join(dir, "rsyslogd")
	if err := errors.Join(os.WriteFile(own, []byte(text), 0o644), os.Mkdir(logs, 0o755)); err != nil {
		return nil, err
	}
	restore, err := roomForDatagrams()
	if err != nil {
		return nil, err
	}
	defer restore()
	if r.child, err = startChild(logs, exec.Command("rsyslogd", "-n", "-f", own, "-i", filepath.Join(dir, "rsyslogd.pid"))); err != nil {
		return nil, err
	}
	return r, r.child.ready(ctx, func() error {
		c, err := net.Dial("unixgram", r.socket)
		if err == nil {
			err = c.Close()
		}
		return err
	})
}

// roomForDatagrams lets sockets made from now on hold as many datagrams as
// systemd lets them (src/core/main.c, bump_unix_max_dgram_qlen). With the kernel's
// own 10 sender and receiver take turns, which costs both twice what they need.
func roomForDatagrams() (restore func(), err error) {
	const setting, room = "/proc/sys/net/unix/max_dgram_qlen", 512
	b, err := os.ReadFile(setting)
	if err != nil {
		return nil, err
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && n >= room {
		return func() {}, nil
	}
	return func() { _ = os.WriteFile(setting, b, 0) }, os.WriteFile(setting, strconv.AppendInt(nil, room, 10), 0)
}

// lastLine is what stop sends: datagrams keep their order, so all lines before
// it are in the file when it is.
const lastLine = `{"event":{"dataset":"bench.last"}}`

func (r *rsyslog) stop() error {
	return errors.Join(r.drain(), r.child.end(syscall.SIGTERM))
}

func (r *rsyslog) drain() error {
	c, err := net.Dial("unixgram", r.socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("<14>Jan  1 00:00:00 procmon: @cee: " + lastLine)); err != nil {
		return err
	}
	return r.child.ready(context.Background(), func() error {
		ok, err := endsWith(r.file, lastLine+"\n")
		if err == nil && !ok {
			err = fmt.Errorf("%s lacks its last line", r.file)
		}
		return err
	})
}

func endsWith(path, end string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() < int64(len(end)) {
		return false, err
	}
	b := make([]byte, len(end))
	_, err = f.ReadAt(b, st.Size()-int64(len(end)))
	return string(b) == end, err
}
