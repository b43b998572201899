package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestIntegrationBooks starts many short programs while something is wrong, and
// accounts for every one of them in both stores: it was recorded once, or it
// was counted as lost. With PROCMON_TEST_LONG set, storms are of 100,000
// programs and what is wrong lasts longer.
func TestIntegrationBooks(t *testing.T) {
	f := setUp(t)
	size, hold, locked := 5000, 3*time.Second, 6*time.Second
	if os.Getenv("PROCMON_TEST_LONG") != "" {
		size, hold, locked = 100_000, 10*time.Second, 15*time.Second
	}
	eachSource(t, f, func(t *testing.T, s source) {
		for _, c := range []struct {
			name string
			run  func(*testing.T, *ledger)
		}{
			{"storm", func(t *testing.T, l *ledger) { l.storm(t, size) }},
			{"daemon stopped for a while", func(t *testing.T, l *ledger) { l.stopped(t, hold) }},
			{"receiver stands still", func(t *testing.T, l *ledger) { l.still(t, size) }},
			{"index locked by another", func(t *testing.T, l *ledger) { l.locked(t, size, locked) }},
			{"killed and restarted", func(t *testing.T, l *ledger) { l.restarted(t, syscall.SIGKILL) }},
			{"ended and restarted", func(t *testing.T, l *ledger) { l.restarted(t, syscall.SIGTERM) }},
		} {
			t.Run(c.name, func(t *testing.T) { c.run(t, newLedger(t, f, s)) })
		}
	})
}

// storm is the undisturbed case.
func (l *ledger) storm(t *testing.T, size int) {
	l.d.start()
	l.load(t, 16, size, 0).end(t)
	l.d.flush()
	l.balance(t)
}

// stopped holds the daemon up while programs run on.
func (l *ledger) stopped(t *testing.T, hold time.Duration) {
	l.d.start()
	load := l.load(t, 4, 0, 2*time.Millisecond)
	l.seen(t)
	l.d.pause(t)
	time.Sleep(hold) // how long it stands still is what is tried here
	l.d.resume(t)
	load.end(t)
	l.d.flush()
	l.balance(t)
}

func (d *daemon) pause(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Signal(syscall.SIGCONT) }) // else it can't be ended
}

func (d *daemon) resume(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// still lets the receiver of the lines take nothing, with a spool that is too
// small for them all. The index must not wait for it.
func (l *ledger) still(t *testing.T, size int) {
	r := newReceiver(t, l.d)
	l.d.args = append(l.d.args, "--syslog-address", "unix:"+r.path, "--syslog-spool-bytes", "1MiB")
	l.d.start()
	l.load(t, 16, size, 0).end(t)
	eventually(t, 60*time.Second, func() error {
		if l.d.count("SELECT count(*) FROM losses WHERE reason = 'sink full'") == 0 {
			return errors.New("the spool is not full yet")
		}
		return l.complete(l.inIndex(t))
	})
	r.receive()
	eventually(t, 60*time.Second, func() error {
		l.d.flushSome()
		return l.complete(l.inLines(t))
	})
	l.balance(t)
	r.close()
}

// locked lets another program write to the index for a while. The lines must
// not wait for it.
func (l *ledger) locked(t *testing.T, size int, hold time.Duration) {
	l.d.start()
	db, err := sql.Open("sqlite3", l.d.index+"?_txlock=immediate&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	unlock := time.Now().Add(hold)
	l.load(t, 16, size, 0).end(t)
	eventually(t, 60*time.Second, func() error { return l.complete(l.inLines(t)) })
	if n := len(l.inIndex(t).runs); n != 0 {
		t.Errorf("%d runs are in an index that another program has locked", n)
	}
	time.Sleep(time.Until(unlock)) // longer than a writer waits for a lock before it fails
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, func() error { return l.complete(l.inIndex(t)) })
	l.d.flush()
	l.balance(t)
}

// restarted ends the daemon and starts it again while programs run on.
func (l *ledger) restarted(t *testing.T, s syscall.Signal) {
	l.d.start()
	load := l.load(t, 4, 0, 2*time.Millisecond)
	l.seen(t)
	asked := time.Now()
	if l.killed = s == syscall.SIGKILL; l.killed {
		l.d.signal(s)
	} else {
		l.d.stop()
	}
	at, gone := load.began(), time.Now()
	l.d.start()
	t.Logf("told to end at %v, gone at %v, ready again at %v", asked.UTC(), gone.UTC(), time.Now().UTC())
	eventually(t, 10*time.Second, func() error { // some more, under a daemon that looks
		if load.began() < at+1000 {
			return fmt.Errorf("only %d programs since the daemon ended", load.began()-at)
		}
		return nil
	})
	load.end(t)
	l.d.flush()
	l.balance(t)
}
