package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	const secret = "0123456789abcdef0123"
	const mine, other, proxy = 1000, 2000, 33
	hosts := []string{"127.0.0.1", "localhost", "::1", "Node.example.org"}
	own := &guard{hosts: hosts, users: map[uint32]bool{0: true, mine: true}}
	token := &guard{hosts: hosts, token: secret}
	header := &guard{header: "X-Remote-User", users: map[uint32]bool{proxy: true}}
	far := &guard{hosts: hosts, header: "X-Remote-User", proxy: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	type ask struct {
		method, host, address, from string
		uid                         int // -1: not known
		headers                     http.Header
	}
	for _, c := range []struct {
		name string
		g    *guard
		ask  ask
		want int
	}{
		{"my own program", own, ask{host: "localhost:8765", uid: mine}, 200},
		{"through ssh, another port", own, ask{host: "127.0.0.1:9999", uid: mine}, 200},
		{"IPv6", own, ask{host: "[::1]:8765", uid: mine}, 200},
		{"root's program", own, ask{host: "localhost", uid: 0}, 200},
		{"HEAD", own, ask{method: "HEAD", host: "localhost", uid: mine}, 200},
		{"POST", own, ask{method: "POST", host: "localhost", uid: mine}, 405},
		{"somebody else's program", own, ask{host: "localhost", uid: other}, 403},
		{"nobody knows whose", own, ask{host: "localhost", uid: -1}, 403},
		{"rebinding", own, ask{host: "evil.example.org:8765", uid: mine}, 421},
		{"no name", own, ask{host: "", uid: mine}, 421},
		{"an allowed name", own, ask{host: "node.EXAMPLE.org", uid: mine}, 200},
		{"without token", token, ask{host: "localhost", uid: mine}, 401},
		{"bearer", token, ask{host: "localhost", uid: other, headers: http.Header{"Authorization": {"Bearer " + secret}}}, 200},
		{"wrong bearer", token, ask{host: "localhost", uid: mine, headers: http.Header{"Authorization": {"Bearer " + secret + "x"}}}, 401},
		{"password", token, ask{host: "localhost", uid: -1, headers: http.Header{"Authorization": {"Basic eDowMTIzNDU2Nzg5YWJjZGVmMDEyMw=="}}}, 200},
		{"address", token, ask{host: "localhost", address: "/?token=" + secret, uid: -1}, 200},
		{"empty token", token, ask{host: "localhost", address: "/?token=", uid: mine}, 401},
		{"a wrong password beats the address", token, ask{host: "localhost", address: "/?token=" + secret, uid: -1, headers: http.Header{"Authorization": {"Bearer no"}}}, 401},
		{"token, rebinding", token, ask{host: "evil.example.org", address: "/?token=" + secret}, 421},
		{"proxy", header, ask{host: "any", uid: proxy, headers: http.Header{"X-Remote-User": {"alice"}}}, 200},
		{"proxy names nobody", header, ask{host: "any", uid: proxy}, 403},
		{"proxy names two", header, ask{host: "any", uid: proxy, headers: http.Header{"X-Remote-User": {"alice", "bob"}}}, 403},
		{"forged header", header, ask{host: "any", uid: other, headers: http.Header{"X-Remote-User": {"alice"}}}, 403},
		{"forged header, root", header, ask{host: "any", uid: 0, headers: http.Header{"X-Remote-User": {"alice"}}}, 403},
		{"proxy's address", far, ask{host: "localhost", from: "10.2.3.4:999", uid: -1, headers: http.Header{"X-Remote-User": {"alice"}}}, 200},
		{"another address", far, ask{host: "localhost", from: "11.2.3.4:999", uid: -1, headers: http.Header{"X-Remote-User": {"alice"}}}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := *c.g
			g.next = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			address := c.ask.address
			if address == "" {
				address = "/"
			}
			r := httptest.NewRequestWithContext(t.Context(), "GET", address, nil)
			if c.ask.method != "" {
				r.Method = c.ask.method
			}
			r.Host = c.ask.host
			if c.ask.from != "" {
				r.RemoteAddr = c.ask.from
			}
			for k, v := range c.ask.headers {
				r.Header[k] = v
			}
			known := &caller{uid: uint32(max(c.ask.uid, 0)), known: c.ask.uid >= 0}
			known.once.Do(func() {})
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r.WithContext(contextWith(r, known)))
			if w.Code != c.want {
				t.Errorf("%d, want %d: %s", w.Code, c.want, w.Body)
			}
			for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "Cache-Control"} {
				if w.Header().Get(name) == "" {
					t.Errorf("no %s", name)
				}
			}
		})
	}
}

// What would let everybody in is refused, with the way out.
func TestServeRefusesToBeOpen(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{"good": strings.Repeat("ab", 10) + "\n", "short": "abc", "odd": strings.Repeat("a b", 10), "open": strings.Repeat("ab", 10)}
	for name, text := range files {
		mode := os.FileMode(0o600)
		if name == "open" {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args, says string
	}{
		{"--listen 0.0.0.0:0", "add --token-file"},
		{"--listen :0", "add --token-file"},
		{"--listen [::]:0", "add --token-file"},
		{"--listen 192.0.2.1:0", "add --token-file"},
		{"--listen example.org:80", "add --token-file"},
		{"--listen nonsense", "neither HOST:PORT nor"},
		{"--listen 0.0.0.0:0 --user-header X-User", "say who the proxy is"},
		{"--proxy 10.0.0.1", "belong together"},
		{"--user-header X-User --proxy 127.0.0.1", "--proxy user:NAME"},
		{"--user-header X-User --proxy somebody", "no address"},
		{"--user-header X-User --proxy user:no-such-user", "no-such-user"},
		{"--user-header X-User --proxy user:root --token-file " + dir + "/good", "exclude each other"},
		{"--token-file " + dir + "/short", "20 letters and digits or more"},
		{"--token-file " + dir + "/odd", "20 letters and digits or more"},
		{"--token-file " + dir + "/open", "chmod 600"},
		{"--token-file " + dir + "/none", "no such file"},
		{"more", "takes no arguments"},
	} {
		var said strings.Builder
		w := &world{out: &said, err: &said, getenv: os.Getenv}
		args := append([]string{"procmon-report", "serve", "--index", dir + "/no.db"}, strings.Fields(c.args)...)
		if code := w.run(t.Context(), args); code != exitUsage || !strings.Contains(said.String(), c.says) {
			t.Errorf("%s: exit %d: %s", c.args, code, said.String())
		}
	}
	for _, args := range []string{"", "--listen unix:" + dir + "/s", "--listen [::1]:0", "--listen localhost:0", "--listen 0.0.0.0:0 --token-file " + dir + "/good",
		"--listen 0.0.0.0:0 --user-header X-User --proxy 10.0.0.0/8", "--user-header X-User --proxy user:root"} {
		var said strings.Builder
		w := &world{out: &said, err: &said, getenv: os.Getenv}
		code := w.run(t.Context(), append([]string{"procmon-report", "serve", "--index", dir + "/no.db"}, strings.Fields(args)...))
		if code != exitImpossible { // it gets as far as the index
			t.Errorf("%q: exit %d: %s", args, code, said.String())
		}
	}
}
