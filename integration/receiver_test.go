package integration

import (
	"bytes"
	"net"
	"os"
	"testing"
)

// receiver is a syslog socket, from which nobody reads at first.
type receiver struct {
	path  string
	conn  *net.UnixConn
	lines *os.File
	done  chan struct{}
}

func newReceiver(t *testing.T, d *daemon) *receiver {
	t.Helper()
	r := &receiver{path: d.dir + "/log.sock", done: make(chan struct{})}
	var err error
	if r.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: r.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	if r.lines, err = os.Create(d.lines); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.conn.Close(); r.lines.Close() })
	return r
}

// receive begins to write what comes to the file of the lines.
func (r *receiver) receive() {
	go func() {
		defer close(r.done)
		buf := make([]byte, 1<<20)
		for {
			n, err := r.conn.Read(buf)
			if err != nil {
				return
			}
			if _, text, ok := bytes.Cut(buf[:n], []byte("@cee: ")); ok {
				_, _ = r.lines.Write(append(bytes.TrimRight(text, "\n"), '\n')) // a line that is missing is noticed
			}
		}
	}()
}

func (r *receiver) close() {
	r.conn.Close()
	<-r.done
}
