package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

const serveDescription = `Shows the reports as pages: filters as a form, addresses that can be sent, jobs
with their runs. It only reads, needs no root but membership in the group of the
index, and answers GET and HEAD alone.

By default only programs of the user who started it, and root's, are answered, on
127.0.0.1 or a UNIX socket (--listen unix:PATH). From elsewhere it is reached by
ssh -L 8765:127.0.0.1:8765 NODE. For others than oneself it takes
   --token-file FILE   a secret of 20 characters or more, which a browser asks for as a
                       password (any name); or "Authorization: Bearer SECRET", or ?token=SECRET
   --user-header NAME --proxy WHO
                       a proxy that tells in this header who asks; only from WHO:
                       an address, a network 10.0.0.0/8, or user:www-data on this machine
and listens elsewhere than on this machine only with one of them. It speaks
HTTP, not HTTPS: put a proxy before it where others may listen in.

EXAMPLES:
   procmon-report serve
   procmon-report serve --index /srv/procmon/nodes
   procmon-report serve --listen unix:/run/reports/sock --user-header X-Remote-User --proxy user:www-data
   procmon-report serve --listen 10.1.2.3:8765 --token-file /etc/procmon/token --host reports.example.org

EXIT STATUS:
   0  ended by a signal    1  failed    2  wrong use    3  no index here`

func serveFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "listen", Usage: "answer at `ADDRESS`: HOST:PORT or unix:PATH", Value: "127.0.0.1:8765"},
		&cli.StringFlag{Name: "token-file", Usage: "answer who knows the secret in `FILE`"},
		&cli.StringFlag{Name: "user-header", Usage: "answer whom the proxy names in this `HEADER`"},
		&cli.StringFlag{Name: "proxy", Usage: "`WHO` the proxy is: an address, a network, or user:NAME on this machine"},
		&cli.GenericFlag{Name: "host", Usage: "answer to this `NAME` in addresses, too; may be repeated", Value: new(values)},
		indexFlag(""),
		&cli.BoolFlag{Name: "utc", Usage: "take and show times in UTC", DisableDefaultText: true},
	}
}

// Bounds of connections.
const (
	connections = 64 // at once
	serveDrain  = 5 * time.Second
)

func (w *world) serve(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("serve takes no arguments")
	}
	g, err := newGuard(c)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(w.err, nil))
	s := &site{
		indexes: func() ([]string, error) { return indexes(valuesOf(c, "index"), w.getenv) },
		zone:    w.zoneOf(c), now: time.Now, logger: logger, turns: make(chan struct{}, pagesAsked),
	}
	if err := s.check(c.Context); err != nil { // to fail at once
		return hint(err)
	}
	l, err := listen(c.String("listen"))
	if err != nil {
		return err
	}
	g.next = s.handler()
	server := &http.Server{
		Handler: g, ConnContext: withCaller, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: pageTime + pageWait + 20*time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	fmt.Fprintf(w.err, "procmon-report: reports of %s at %s, for %s; Ctrl-C ends it\n", oneLine(strings.Join(indexNames(valuesOf(c, "index"), w.getenv), ", ")), where(l), g.forWhom())
	done := make(chan error, 1)
	go func() {
		<-c.Context.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context), serveDrain)
		defer cancel()
		done <- errors.Join(server.Shutdown(ctx), server.Close())
	}()
	if err := server.Serve(&limited{l, make(chan struct{}, connections)}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

func where(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return "unix:" + oneLine(l.Addr().String())
	}
	return "http://" + l.Addr().String() + "/"
}

// listen makes the socket; one that a dead server left is replaced.
func listen(address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("%w; --listen names another address", err)
		}
		return l, nil
	}
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("%s: somebody answers there; --listen names another address", path)
	}
	if st, err := os.Lstat(path); err == nil && st.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil { // who connects is asked for by the kernel
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
