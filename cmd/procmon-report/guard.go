package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// guard decides who may ask a server, before anything else looks at the question.
type guard struct {
	next   http.Handler
	policy string   // Content-Security-Policy
	hosts  []string // names by which it may be asked; nil: any
	// One of these lets a visitor in; where a token or a header is wanted nothing else does.
	token  string          // empty: none
	header string          // in which the proxy names the visitor; empty: no proxy
	proxy  []netip.Prefix  // where the proxy asks from, or
	users  map[uint32]bool // whose programs on this machine may ask: the proxy's, or without proxy and token its own
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", g.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
	case !g.named(r.Host):
		// A page elsewhere whose name was made to lead here (DNS rebinding) asks by that name.
		http.Error(w, "this server is not called so; --host NAME of procmon-report serve allows a name", http.StatusMisdirectedRequest)
	case g.token != "" && !g.knowsToken(r):
		h.Set("WWW-Authenticate", `Basic realm="procmon-report: any name, the token as password", charset="UTF-8"`)
		http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
	case g.token == "" && !g.trusts(r):
		http.Error(w, "not for you: this server answers the user who started it, or its proxy", http.StatusForbidden)
	case g.header != "" && !named(r.Header.Values(g.header)):
		http.Error(w, "the proxy names nobody", http.StatusForbidden)
	default:
		g.next.ServeHTTP(w, r)
	}
}

func named(values []string) bool { return len(values) == 1 && strings.TrimSpace(values[0]) != "" }

// named says whether a Host header means this server. Ports don't matter: whoever
// forwards one chooses another.
func (g *guard) named(host string) bool {
	if g.hosts == nil {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	return slices.ContainsFunc(g.hosts, func(name string) bool { return strings.EqualFold(name, host) })
}

// knowsToken finds the token as Bearer, as the password of Basic, which browsers ask for and keep
// without a cookie, or in the address.
func (g *guard) knowsToken(r *http.Request) bool {
	given := r.URL.Query().Get("token")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		given = bearer
	} else if _, password, ok := r.BasicAuth(); ok {
		given = password
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(g.token)) // of one length, whatever was given
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// trusts says whether the other end of the connection may ask.
func (g *guard) trusts(r *http.Request) bool {
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		for _, p := range g.proxy {
			if p.Contains(at.Addr().Unmap()) {
				return true
			}
		}
	}
	if len(g.users) == 0 {
		return false
	}
	c, ok := r.Context().Value(callerKey{}).(*caller)
	if !ok {
		return false
	}
	uid, known := c.user()
	return known && g.users[uid]
}

// caller is the other end of a connection; who that is, is found out when asked for the first time.
type caller struct {
	conn  net.Conn
	once  sync.Once
	uid   uint32
	known bool
}

type callerKey struct{}

func withCaller(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*counted); ok {
		conn = c.Conn
	}
	return context.WithValue(ctx, callerKey{}, &caller{conn: conn})
}

// limited accepts so many connections at once as its channel holds, and lets others wait.
type limited struct {
	net.Listener
	open chan struct{}
}

// Accept waits for room first. It ends with the listener, as whoever has a connection does.
func (l *limited) Accept() (net.Conn, error) {
	l.open <- struct{}{}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &counted{Conn: conn, done: sync.OnceFunc(func() { <-l.open })}, nil
}

// counted is a connection that gives its room back.
type counted struct {
	net.Conn
	done func()
}

func (c *counted) Close() error {
	c.done()
	return c.Conn.Close()
}

func (c *caller) user() (uid uint32, known bool) {
	c.once.Do(func() { c.uid, c.known = peer(c.conn) })
	return c.uid, c.known
}
