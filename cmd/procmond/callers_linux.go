package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Connections to the control socket that users, root not counted, may have open at once.
const (
	userConnections = 4
	allConnections  = 64
)

// callers accepts connections and knows whose they are (SO_PEERCRED, unix(7)). A user with
// too many loses the new one at once, so that nobody keeps root or other users out.
type callers struct {
	net.Listener
	mu   sync.Mutex // guards open and all
	open map[uint32]int
	all  int
}

// call is the connection of one user.
type call struct {
	net.Conn
	uid  uint32
	done func()
}

func (c *call) Close() error {
	c.done()
	return c.Conn.Close()
}

// Accept waits for a connection that may stay.
func (l *callers) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(conn)
		if err == nil && l.enter(uid) {
			return &call{conn, uid, sync.OnceFunc(func() { l.leave(uid) })}, nil
		}
		_ = conn.Close()
	}
}

func (l *callers) enter(uid uint32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if isMaster(uid) {
		return true
	}
	if l.open[uid] >= userConnections || l.all >= allConnections {
		return false
	}
	if l.open == nil {
		l.open = map[uint32]int{}
	}
	l.open[uid]++
	l.all++
	return true
}

func (l *callers) leave(uid uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if isMaster(uid) {
		return
	}
	l.all--
	if l.open[uid]--; l.open[uid] == 0 {
		delete(l.open, uid)
	}
}

// isMaster says whether a user commands this daemon: root, and who started it.
func isMaster(uid uint32) bool { return uid == 0 || uid == uint32(os.Geteuid()) }

func peerUID(conn net.Conn) (uint32, error) {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); cerr != nil {
		return 0, cerr
	}
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

type callerKey struct{}

// withCaller notes whose a connection is.
func withCaller(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*call); ok {
		return context.WithValue(ctx, callerKey{}, c.uid)
	}
	return ctx
}

func callerOf(ctx context.Context) (uid uint32, ok bool) {
	uid, ok = ctx.Value(callerKey{}).(uint32)
	return uid, ok
}

// masters lets root command, and nobody else.
func masters(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if uid, ok := callerOf(r.Context()); !ok || !isMaster(uid) {
			http.Error(w, "only root may ask this", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
