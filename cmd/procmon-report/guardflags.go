package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"procmon/report/render"
)

// newGuard decides by the flags who may ask, and refuses what would let everybody.
func newGuard(c *cli.Context) (*guard, error) {
	g := &guard{header: c.String("user-header"), users: map[uint32]bool{}}
	var err error
	if g.policy, err = render.Policy(); err != nil {
		return nil, err
	}
	if file := c.String("token-file"); file != "" {
		if g.token, err = readToken(file); err != nil {
			return nil, err
		}
	}
	if _, _, err := net.SplitHostPort(c.String("listen")); err != nil && !strings.HasPrefix(c.String("listen"), "unix:") {
		return nil, usagef("--listen %q is neither HOST:PORT nor unix:PATH", c.String("listen"))
	}
	local, host := isLocal(c.String("listen"))
	switch {
	case g.token != "" && g.header != "":
		return nil, usagef("--token-file and --user-header exclude each other")
	case (g.header == "") != (c.String("proxy") == ""):
		return nil, usagef("--user-header and --proxy belong together: anybody can send a header, so say who the proxy is")
	case g.header != "":
		if err := g.proxied(c.String("proxy")); err != nil {
			return nil, err
		}
		if local && len(g.users) == 0 && !strings.HasPrefix(c.String("listen"), "unix:") {
			return nil, usagef("every user of this machine has the address %s: name the proxy's user instead, --proxy user:NAME", c.String("proxy"))
		}
	case g.token == "" && !local:
		return nil, usagef("--listen %s is open to others: add --token-file FILE, or --user-header NAME with --proxy WHO; or listen on 127.0.0.1 and use ssh -L", c.String("listen"))
	case g.token == "":
		g.users = map[uint32]bool{0: true, uint32(os.Getuid()): true}
	}
	if host != "" {
		g.hosts = append(hostNames(local, host), valuesOf(c, "host")...)
	}
	return g, nil
}

// hostNames are the names of what is listened on.
func hostNames(local bool, host string) []string {
	names := []string{host}
	if local {
		return append(names, "localhost", "127.0.0.1", "::1")
	}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	return names
}

// isLocal says whether only this machine can reach an address, and gives its host; "" for a UNIX socket.
func isLocal(address string) (local bool, host string) {
	if strings.HasPrefix(address, "unix:") {
		return true, ""
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false, address
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback(), host
	}
	return host == "localhost", host
}

// proxied lets the proxy in.
func (g *guard) proxied(who string) error {
	if name, ok := strings.CutPrefix(who, "user:"); ok {
		u, err := user.Lookup(name)
		if err != nil {
			return usagef("--proxy %s: %w", who, err)
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		g.users[uint32(uid)] = true
		return err
	}
	if ip, err := netip.ParseAddr(who); err == nil {
		g.proxy = []netip.Prefix{netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen())}
		return nil
	}
	p, err := netip.ParsePrefix(who)
	if err != nil {
		return usagef("--proxy %q is no address, no network and no user:NAME", who)
	}
	g.proxy = []netip.Prefix{p.Masked()}
	return nil
}

func (g *guard) forWhom() string {
	switch {
	case g.token != "":
		return "who knows the token"
	case g.header != "":
		return "whom the proxy names in " + http.CanonicalHeaderKey(g.header)
	}
	return "programs of your own on this machine"
}

const shortestToken = 20

// readToken reads a secret that nobody else can read.
func readToken(file string) (string, error) {
	st, err := os.Stat(file)
	if err != nil {
		return "", usageError{err}
	}
	if st.Mode().Perm()&0o007 != 0 {
		return "", usagef("--token-file %s: everybody may read or write it: chmod 600 %s", file, file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", usageError{err}
	}
	token := strings.TrimSpace(string(b))
	if len(token) < shortestToken || url.PathEscape(token) != token {
		return "", usagef("--token-file %s: a token is %d letters and digits or more: openssl rand -hex 16 > %s", file, shortestToken, file)
	}
	return token, nil
}
