package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func question(uid uint32, known bool, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/mine", strings.NewReader(body))
	if known {
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, uid))
	}
	return r
}

func TestDesk(t *testing.T) {
	const quick, slow, failing = 1, 2, 3
	began, release := make(chan bool, 1), make(chan bool)
	d, err := newDesk("unused")
	if err != nil {
		t.Fatal(err)
	}
	d.run = func(_ context.Context, uid uint32, asked io.Reader) ([]byte, error) {
		switch uid {
		case slow:
			began <- true
			<-release
		case failing:
			return nil, errors.New("it does not work")
		}
		b, err := io.ReadAll(asked)
		return fmt.Appendf(b, " of %d", uid), err
	}
	visit := func(r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		return w
	}
	if w := visit(question(0, false, "x")); w.Code != http.StatusForbidden {
		t.Errorf("nobody knows who asks: %d", w.Code)
	}
	if w := visit(question(quick, true, "a question")); w.Code != http.StatusOK || w.Body.String() != "a question of 1" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := visit(question(4, true, strings.Repeat("x", mineAsked+1))); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("too long: %d", w.Code)
	}
	if w := visit(question(failing, true, "")); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "does not work") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	done := make(chan int)
	go func() { done <- visit(question(slow, true, "")).Code }()
	<-began
	if w := visit(question(slow, true, "")); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" {
		t.Errorf("a second question beside the first: %d", w.Code)
	}
	if w := visit(question(5, true, "")); w.Code != http.StatusOK {
		t.Errorf("another user meanwhile: %d", w.Code)
	}
	release <- true
	if code := <-done; code != http.StatusOK {
		t.Errorf("%d", code)
	}
}

func TestPaces(t *testing.T) {
	var p paces
	now := time.Unix(1000, 0)
	if wait := p.begin(7, now); wait != 0 {
		t.Errorf("at first: %v", wait)
	}
	p.end(7, now.Add(4*time.Second))
	for after, want := range map[time.Duration]time.Duration{time.Second: 3 * time.Second, 3 * time.Second: time.Second} {
		if got := p.begin(7, now.Add(after)); got != want {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
	for uid := range uint32(3 * forgetAbove) { // all of them may ask again
		if p.begin(uid+100, now) == 0 {
			p.end(uid+100, now)
		}
	}
	if len(p.of) > forgetAbove+2 {
		t.Errorf("%d users are known", len(p.of))
	}
	if wait := p.begin(7, now.Add(time.Second)); wait != 3*time.Second {
		t.Errorf("forgotten: %v", wait)
	}
}

func TestCallers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := listenControl(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &callers{Listener: l}
	defer c.Close()
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o666 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in, err := c.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if uid, ok := callerOf(withCaller(t.Context(), in)); !ok || uid != uint32(os.Getuid()) {
		t.Errorf("%d %v", uid, ok)
	}
	const bob = 1 << 20
	for range userConnections {
		if !c.enter(bob) {
			t.Fatal("not let in")
		}
	}
	if c.enter(bob) || !c.enter(bob+1) || !c.enter(0) {
		t.Error("one connection too many, or others kept out")
	}
	c.leave(bob)
	if !c.enter(bob) {
		t.Error("kept out after one was closed")
	}
	for n := range uint32(allConnections) {
		c.enter(bob + 2 + n)
	}
	if c.enter(bob+1000) || !c.enter(0) {
		t.Error("all connections are used up, but not for root")
	}
}

// Users can't command, whatever they ask.
func TestOnlyRootCommands(t *testing.T) {
	h := masters(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, c := range []struct {
		r    *http.Request
		want int
	}{{question(0, true, ""), 200}, {question(uint32(os.Geteuid()), true, ""), 200}, {question(1<<20, true, ""), 403}, {question(0, false, ""), 403}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, c.r)
		if w.Code != c.want {
			t.Errorf("%d, want %d", w.Code, c.want)
		}
	}
}

// A process that answers has the lowest priority, whatever the threads of this one have.
func TestStartLow(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "cat", "/proc/self/stat")
	var out strings.Builder
	cmd.Stdout = &out
	if err := startLow(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(out.String(), ") ")
	const nice = 19 - 3 // of the fields after the name
	if f := strings.Fields(after); len(f) < nice || f[nice] != "19" {
		t.Errorf("%s", out.String())
	}
}
