package syslog

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// receiver is a syslog server of the test's own. It collects lines.
type receiver struct {
	mu    sync.Mutex // guards lines
	lines []string
	bad   []string
	wg    sync.WaitGroup
	conns []io.Closer
}

func (r *receiver) add(msg []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	head, line, ok := bytes.Cut(msg, []byte(cookie))
	if !ok || !bytes.HasPrefix(head, []byte(priority)) {
		r.bad = append(r.bad, string(msg))
	}
	r.lines = append(r.lines, string(line))
}

func (r *receiver) got() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := map[string]int{}
	for _, l := range r.lines {
		m[l]++
	}
	return m
}

// packets receives datagrams until the socket is closed.
func (r *receiver) packets(c net.PacketConn) {
	r.wg.Add(1)
	r.conns = append(r.conns, c)
	go func() {
		defer r.wg.Done()
		buf := make([]byte, maxLine)
		for {
			n, _, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			r.add(buf[:n])
		}
	}()
}

// accept receives octet-counted messages of each connection.
func (r *receiver) accept(l net.Listener) {
	r.wg.Add(1)
	r.conns = append(r.conns, l)
	go func() {
		defer r.wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns = append(r.conns, c)
			r.mu.Unlock()
			r.wg.Add(1)
			go func() {
				defer r.wg.Done()
				for in := bufio.NewReader(c); ; {
					count, err := in.ReadString(' ')
					if err != nil {
						return
					}
					n, _ := strconv.Atoi(strings.TrimSuffix(count, " "))
					msg := make([]byte, n)
					if _, err := io.ReadFull(in, msg); err != nil {
						return
					}
					r.add(msg)
				}
			}()
		}
	}()
}

// stop hangs up.
func (r *receiver) stop() {
	r.mu.Lock()
	conns := r.conns
	r.conns = nil
	r.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
	r.wg.Wait()
}

func listenUnix(t *testing.T, path string) *receiver {
	t.Helper()
	_ = os.Remove(path)
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{}
	r.packets(c)
	t.Cleanup(r.stop)
	return r
}

func mustOpen(t *testing.T, o Options) *Sink {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func wantLines(records []procmon.Record, limit int) (all []string) {
	e := newEncoder(SchemaECS, limit, false)
	for i := range records {
		all = append(all, string(e.line(nil, &records[i])))
	}
	return all
}

func waitFor(t *testing.T, want []string, receivers ...*receiver) {
	t.Helper()
	has := func() (missing []string) {
		got := map[string]int{}
		for _, r := range receivers {
			for l, n := range r.got() {
				got[l] += n
			}
		}
		for _, l := range want {
			if got[l] == 0 {
				missing = append(missing, l)
			}
		}
		return missing
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		m := has()
		if len(m) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d lines missing, the first: %s", len(m), len(want), m[0])
		}
	}
	for _, r := range receivers {
		if len(r.bad) > 0 {
			t.Fatalf("bad message %q", r.bad[0])
		}
	}
}

func TestUnixReceiverComesAndGoes(t *testing.T) {
	dir := shortTemp(t)
	socket := filepath.Join(dir, "s")
	records := numberedBatch(0, 4_000)
	want := wantLines(records, foreignLine)
	s := mustOpen(t, Options{Address: "unix:" + socket, Spool: filepath.Join(dir, "spool")})
	put := func(from, to int) {
		t.Helper()
		if err := s.Write(context.Background(), records[from:to]); err != nil {
			t.Fatal(err)
		}
	}
	put(0, 1_000) // nobody there
	if st := s.Stats(); st.Spooled != 1_000 || st.Sent != 0 || st.SpoolBytes == 0 {
		t.Errorf("%+v", st)
	}
	a := listenUnix(t, socket)
	waitFor(t, want[:1_000], a) // without another Write
	eventually(t, "the spool is empty", func() bool { return s.Stats().SpoolBytes == 0 })
	put(1_000, 2_000)
	waitFor(t, want[:2_000], a)
	if st := s.Stats(); st.Reconnects != 0 {
		t.Errorf("the first connection counts as a reconnect: %+v", st)
	}
	a.stop()
	put(2_000, 3_000)
	b := listenUnix(t, socket)
	waitFor(t, want[2_000:3_000], b)
	// What the dead one may not have read comes again.
	waitFor(t, want[2_000-ringLines:2_000], b)
	put(3_000, 4_000)
	waitFor(t, want, a, b)
	if st := s.Stats(); st.Reconnects != 1 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

// An outage is told once, and its end.
func TestLog(t *testing.T) {
	var log bytes.Buffer
	dir := shortTemp(t)
	socket := filepath.Join(dir, "s")
	s := mustOpen(t, Options{Address: "unix:" + socket, Spool: filepath.Join(dir, "spool"), Logger: textLogger(&log)})
	for i := range 3 {
		if err := s.Write(context.Background(), numberedBatch(i, i+1)); err != nil {
			t.Fatal(err)
		}
		r := listenUnix(t, socket)
		eventually(t, "the spool is empty", func() bool { return s.Stats().SpoolBytes == 0 })
		r.stop()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	if strings.Count(text, "level=WARN") != 1 || strings.Count(text, "receiver takes lines") != 1 || !strings.Contains(text, socket) {
		t.Error(text)
	}
}

func TestWithoutSpool(t *testing.T) {
	socket := filepath.Join(shortTemp(t), "s")
	s := mustOpen(t, Options{Address: "unix:" + socket})
	records := numberedBatch(0, 3)
	var lost *procmon.LostError
	if err := s.Write(context.Background(), records); err == nil || errors.As(err, &lost) {
		t.Errorf("Write without receiver and spool: %v", err)
	}
	r := listenUnix(t, socket)
	eventually(t, "Write succeeds", func() bool { return s.Write(context.Background(), records) == nil })
	waitFor(t, wantLines(records, foreignLine), r)
}

func TestSpoolFullIsLoss(t *testing.T) {
	dir := shortTemp(t)
	s := mustOpen(t, Options{Address: "unix:" + filepath.Join(dir, "s"), Spool: filepath.Join(dir, "spool"), SpoolMax: 16 << 10})
	records := numberedBatch(0, 100)
	records[99].Time = epoch.Add(time.Hour)
	err := s.Write(context.Background(), records)
	var lost *procmon.LostError
	if !errors.As(err, &lost) || !errors.Is(err, errSpoolFull) {
		t.Fatal(err)
	}
	st := s.Stats()
	want := procmon.Loss{Count: 100 - st.Spooled, CPU: -1, From: records[st.Spooled].Time, To: records[99].Time, Reason: procmon.LossSink, Where: "syslog"}
	if diff := cmp.Diff(want, lost.Loss); diff != "" || st.Lost != want.Count || st.Spooled < 5 {
		t.Errorf("%+v: %s", st, diff)
	}
	r := listenUnix(t, filepath.Join(dir, "s"))
	waitFor(t, wantLines(records[:st.Spooled], foreignLine), r)
	if err := s.Write(context.Background(), records[:1]); err != nil {
		t.Error("told of the loss twice:", err)
	}
}

// A loss that finds no room is given back, not counted.
func TestSpoolFullGivesLossesBack(t *testing.T) {
	dir := shortTemp(t)
	s := mustOpen(t, Options{Address: "unix:" + filepath.Join(dir, "s"), Spool: filepath.Join(dir, "spool"), SpoolMax: 16 << 10})
	records := append(numberedBatch(0, 100), procmon.Record{Host: "n1", Boot: "b", Seq: 7, Time: epoch, Loss: &procmon.Loss{Count: 5, Reason: procmon.LossVanished}})
	err := s.Write(context.Background(), records)
	var lost *procmon.LostError
	if !errors.As(err, &lost) || lost.Loss.Count != 100-s.Stats().Spooled || len(lost.Losses) != 1 || lost.Losses[0].Seq != 7 {
		t.Fatalf("%v: %+v", err, lost)
	}
	runs := s.Stats().Spooled
	for range 100 { // it is shorter than a run: some may still fit
		if err = s.Write(context.Background(), records[100:]); err != nil {
			break
		}
	}
	if !errors.As(err, &lost) || lost.Loss.Count != 0 || len(lost.Losses) != 1 {
		t.Errorf("alone: %v: %+v", err, lost)
	}
	if n := s.Stats().Lost; n != 100-runs {
		t.Errorf("%d lines counted as lost", n)
	}
}

// A torn line that a crash left is told of by the first Write.
func TestTornSpoolIsLoss(t *testing.T) {
	dir := shortTemp(t)
	if err := os.Mkdir(filepath.Join(dir, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "spool", "0000000003.jsonl"), "{\"old\":1}\n{\"to")
	r := listenUnix(t, filepath.Join(dir, "s"))
	s := mustOpen(t, Options{Address: "unix:" + filepath.Join(dir, "s"), Spool: filepath.Join(dir, "spool")})
	waitFor(t, []string{`{"old":1}`}, r) // before any Write
	var lost *procmon.LostError
	if err := s.Write(context.Background(), nil); !errors.As(err, &lost) || lost.Loss.Count != 1 {
		t.Error(err)
	}
}

// A receiver that stands still costs Write no more than its patience, or ctx's.
func TestStandsStill(t *testing.T) {
	dir := shortTemp(t)
	socket := filepath.Join(dir, "s")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}) // and nobody reads
	if err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, Options{Address: "unix:" + socket, Spool: filepath.Join(dir, "spool")})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	records := numberedBatch(0, 2_000)
	if err := s.Write(ctx, records[:1_000]); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(context.Background(), records[1_000:]); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Spooled == 0 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
	r := &receiver{}
	r.packets(c) // wakes up
	t.Cleanup(r.stop)
	waitFor(t, wantLines(records, foreignLine), r)
	if st := s.Stats(); st.Reconnects != 0 {
		t.Errorf("reconnected to a receiver that was there all the time: %+v", st)
	}
}

func TestCloseWhileStuck(t *testing.T) {
	dir := shortTemp(t)
	socket := filepath.Join(dir, "s")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := mustOpen(t, Options{Address: "unix:" + socket, Spool: filepath.Join(dir, "spool")})
	if err := s.Write(context.Background(), numberedBatch(0, 1_000)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error("second Close:", err)
	}
	if err := s.Write(context.Background(), nil); !errors.Is(err, ErrClosed) {
		t.Error("Write after Close:", err)
	}
}

// A line of an earlier life that is longer than the transport can carry must
// not stop the others.
func TestTooLongInSpool(t *testing.T) {
	dir := shortTemp(t)
	spool := filepath.Join(dir, "spool")
	if err := os.Mkdir(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(spool, "0000000001.jsonl"), "{\"a\":1}\n{\"b\":\""+strings.Repeat("x", 1<<20)+"\"}\n{\"c\":1}\n")
	r := listenUnix(t, filepath.Join(dir, "s"))
	s := mustOpen(t, Options{Address: "unix:" + filepath.Join(dir, "s"), Spool: spool})
	waitFor(t, []string{`{"a":1}`, `{"c":1}`}, r)
	if st := s.Stats(); st.Lost != 1 {
		t.Errorf("%+v", st)
	}
}

func TestAuto(t *testing.T) {
	dir := shortTemp(t)
	own, dev := filepath.Join(dir, "own"), filepath.Join(dir, "dev")
	records := numberedBatch(0, 10)
	openAuto := func() (*Sink, string) {
		var log bytes.Buffer
		s, err := open(context.Background(), Options{Address: "auto", Logger: textLogger(&log)}, own, dev)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s, log.String()
	}
	d := listenUnix(t, dev)
	s, warning := openAuto()
	if s.opts.MaxBytes != foreignLine || !strings.Contains(warning, "contrib/rsyslog/procmon.conf") {
		t.Errorf("to /dev/log: limit %d, log %q", s.opts.MaxBytes, warning)
	}
	if err := s.Write(context.Background(), records[:5]); err != nil {
		t.Fatal(err)
	}
	waitFor(t, wantLines(records[:5], foreignLine), d)
	o := listenUnix(t, own)
	s, warning = openAuto()
	if s.opts.MaxBytes != ownLine || warning != "" {
		t.Errorf("to the own socket: limit %d, log %q", s.opts.MaxBytes, warning)
	}
	if err := s.Write(context.Background(), records[5:]); err != nil {
		t.Fatal(err)
	}
	waitFor(t, wantLines(records[5:], foreignLine), o)
	if len(d.got()) != 5 {
		t.Error("lines went to both")
	}
}

func TestUDP(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{}
	r.packets(c)
	t.Cleanup(r.stop)
	s := mustOpen(t, Options{Address: "udp:" + c.LocalAddr().String(), Host: "n1"})
	records := numberedBatch(0, 20)
	if err := s.Write(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	waitFor(t, wantLines(records, foreignLine), r)
}

func TestTCPReceiverRestarts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &receiver{}
	a.accept(l)
	records := numberedBatch(0, 300)
	want := wantLines(records, foreignLine)
	s := mustOpen(t, Options{Address: "tcp:" + l.Addr().String(), Host: "n1", Spool: t.TempDir()})
	if err := s.Write(context.Background(), records[:100]); err != nil {
		t.Fatal(err)
	}
	waitFor(t, want[:100], a)
	a.stop()
	eventually(t, "the sink sees by itself that the receiver hung up", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.direct
	})
	if err := s.Write(context.Background(), records[100:101]); err != nil || s.Stats().Spooled != 1 {
		t.Fatal(err, s.Stats())
	}
	if l, err = net.Listen("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	b := &receiver{}
	b.accept(l)
	t.Cleanup(b.stop)
	waitFor(t, want[:101], b) // the ring and the spool, without another Write
	if err := s.Write(context.Background(), records[101:]); err != nil {
		t.Fatal(err)
	}
	waitFor(t, want, a, b)
}

func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{}
	r.accept(l)
	t.Cleanup(r.stop)
	records := numberedBatch(0, 200)
	stranger := mustOpen(t, Options{Address: "tls:" + l.Addr().String()})
	if err := stranger.Write(context.Background(), records); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Error("a server without a known certificate was trusted:", err)
	}
	roots := x509.NewCertPool()
	known, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(known)
	s := mustOpen(t, Options{Address: "tls:" + l.Addr().String(), Host: "n1", TLS: &tls.Config{RootCAs: roots}})
	if err := s.Write(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	waitFor(t, wantLines(records, foreignLine), r)
}
