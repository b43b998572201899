package integration

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

func (w *world) twoUsers(t *testing.T) func(*testing.T) {
	_, s := w.on(t)
	tag := newTag()
	shared := w.f.tempDir(t)
	if err := os.Chmod(shared, 0o777); err != nil {
		t.Fatal(err)
	}
	// Opening a FIFO waits for the other side: the jobs surely run at once.
	for _, fifo := range []string{"a", "b"} {
		if err := syscall.Mkfifo(shared+"/"+fifo, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(shared+"/"+fifo, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	script := func(name, first, second string) string {
		return "#!/bin/sh\n" + first + "\n" + second + "\nfor i in 1 2 3 4 5; do /bin/true " + tag + "-" + name + "-$i; done\nsrun /bin/true " + tag + "-" + name + "-step\n"
	}
	a := s.submit(w.f.alice, script("alice", "echo > "+shared+"/a", "read line < "+shared+"/b"), "--nodelist="+s.nodes[0])
	b := s.submit(w.f.bob, script("bob", "read line < "+shared+"/a", "echo > "+shared+"/b"), "--nodelist="+s.nodes[0])
	return func(t *testing.T) {
		d, s := w.on(t)
		w.settle(t, w.f.alice, a)
		_, lines := w.settle(t, w.f.bob, b)
		wants := []want{
			{arg: tag + "-alice-step", user: w.f.alice, raw: a, step: "0"},
			{arg: tag + "-bob-step", user: w.f.bob, raw: b, step: "0"},
		}
		for i := range 5 {
			wants = append(wants,
				want{arg: fmt.Sprintf("%s-alice-%d", tag, i+1), user: w.f.alice, raw: a, step: "batch"},
				want{arg: fmt.Sprintf("%s-bob-%d", tag, i+1), user: w.f.bob, raw: b, step: "batch"})
		}
		d.expect(lines, s.cluster, wants...)
	}
}

// recorded: root's own programs are not, a setuid program is, with both ids; a
// system user's are inside jobs only.
func (w *world) recorded(t *testing.T) func(*testing.T) {
	_, s := w.on(t)
	tag := newTag()
	setuid := w.f.dir + "/" + tag + "-setuid"
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(setuid, program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(setuid, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	root := account{home: "/"}
	output(t, as(t, root, "/bin/true", tag+"-root"))
	output(t, as(t, root, "sh", "-c", "/bin/true "+tag+"-root-child; exit 0"))
	output(t, as(t, w.f.svc, "/bin/true", tag+"-svc-outside"))
	output(t, as(t, w.f.alice, "/bin/true", tag+"-outside"))
	id := s.submit(w.f.alice, "#!/bin/sh\n"+setuid+" "+tag+"-setuid\n")
	svc := s.submit(w.f.svc, "#!/bin/sh\n/bin/true "+tag+"-svc-inside\n")
	return func(t *testing.T) {
		d, s := w.on(t)
		w.settle(t, w.f.alice, id)
		_, lines := w.settle(t, w.f.svc, svc)
		d.expect(lines, s.cluster,
			want{arg: tag + "-outside", user: w.f.alice},
			want{arg: tag + "-setuid", exe: setuid, user: w.f.alice, raw: id, step: "batch"},
			want{arg: tag + "-svc-inside", user: w.f.svc, raw: svc, step: "batch"},
		)
		for _, l := range withArg(lines, tag+"-setuid") {
			if l.User.ID != fmt.Sprint(w.f.alice.uid) || l.User.Effective.ID != "0" {
				t.Errorf("setuid: user.id %q, user.effective.id %q; want %d, 0", l.User.ID, l.User.Effective.ID, w.f.alice.uid)
			}
		}
		for _, r := range d.rows(tag + "-setuid") {
			if r.UID != w.f.alice.uid || r.EUID != 0 {
				t.Errorf("setuid: index has uid %d, euid %d; want %d, 0", r.UID, r.EUID, w.f.alice.uid)
			}
		}
		for _, left := range []string{"-root", "-root-child", "-svc-outside"} {
			if n := len(withArg(lines, tag+left)) + len(d.rows(tag+left)); n != 0 {
				t.Errorf("%s was recorded", left)
			}
		}
	}
}
