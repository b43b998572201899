package jobmap

import (
	"testing"

	"procmon"
)

func ptr[T any](v T) *T { return &v }

func TestSlurmTitle(t *testing.T) {
	for _, tt := range []struct {
		name, title, id, step string
	}{
		{"batch", "slurmstepd: [13.batch]", "13", "batch"},
		{"number", "slurmstepd: [1.0]    ", "1", "0"},
		{"het step", "slurmstepd: [11.0+1]", "11", "0+1"},
		{"interactive", "slurmstepd: [8.interactive]\x00rest", "8", "interactive"},
		{"old number of batch", "slurmstepd: [8.4294967294]", "8", "batch"},
		{"cut in batch", "slurmstepd: [13.ba d", "13", "batch"},
		{"cut in extern", "slurmstepd: [13.ex d", "13", "extern"},
		{"remains behind it", "slurmstepd: [13.0] d", "13", "0"},
		{"cut in a number", "slurmstepd: [13.1", "13", ""},
		{"cut in the id", "slurmstepd: [13", "", ""},
		{"cut in the id, remains with a point", "slurmstepd: [1 d.x]", "", ""},
		{"holder of the scope", "slurmstepd infinity", "", ""},
		{"not a step", "slurmstepd: [13.evil/0]", "13", ""},
		{"far too long", "slurmstepd: [13" + string(make([]byte, 100)) + ".0]", "", ""},
		{"empty", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := slurmTitle(ptr(stepd(tt.title)), claim{})
			if got.rawID != tt.id || got.step != tt.step {
				t.Errorf("title %q: job %q step %q, want %q, %q", tt.title, got.rawID, got.step, tt.id, tt.step)
			}
		})
	}
	for name, a := range map[string]procmon.Ancestor{
		"a user's":      {UID: 1001, Comm: "slurmstepd", Args: []byte("slurmstepd: [13.0]")},
		"another name":  {Comm: "sudo", Args: []byte("slurmstepd: [13.0]")},
		"another image": {Comm: "slurmstepd", Exe: "/usr/bin/bash", Args: []byte("slurmstepd: [13.0]")},
	} {
		if got := slurmTitle(&a, claim{}); !got.none() {
			t.Errorf("title of %s process gives %+v", name, got)
		}
	}
}

func TestSlurmStep(t *testing.T) {
	for name, want := range map[string]string{
		"batch": "batch", "-5": "batch", "4294967291": "batch", "4294967294": "batch",
		"extern": "extern", "-4": "extern", "4294967292": "extern", "4294967295": "extern",
		"interactive": "interactive", "-6": "interactive", "4294967290": "interactive",
		"TBD": "TBD", "-3": "TBD", "4294967293": "TBD",
		"0": "0", "17": "17", "0+1": "0+1", "12345678901": "",
		"": "", "x": "", "+": "", "0+": "", "+1": "", "0+x": "", "batch+0": "", "-1": "", "0 ": "",
	} {
		if got := slurmStep(name); got != want {
			t.Errorf("slurmStep(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestSlurmDaemon(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    procmon.Process
		step string
		want bool
	}{
		{"step daemon", procmon.Process{Comm: "slurmstepd", Exe: "/usr/sbin/slurmstepd-wlm"}, "0", true},
		{"placeholder", procmon.Process{Comm: "sleep", Exe: "/usr/bin/sleep"}, "extern", true},
		{"setuid program started by root", procmon.Process{Comm: "ping"}, "0", false},
		{"user's process of that name", procmon.Process{UID: 1001, Comm: "slurmstepd"}, "0", false},
		{"user's session", procmon.Process{UID: 1001, Comm: "bash"}, "extern", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := slurmDaemon(&tt.p, claim{step: tt.step}); got != tt.want {
				t.Errorf("slurmDaemon = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestSlicePath(t *testing.T) {
	for slice, want := range map[string]string{
		"": "", "system.slice": "/system.slice", "a-b-c.slice": "/a.slice/a-b.slice/a-b-c.slice", "/docker/x/system.slice/": "/docker/x/system.slice",
	} {
		if got := slicePath(slice); got != want {
			t.Errorf("slicePath(%q) = %q, want %q", slice, got, want)
		}
	}
}

func TestIsPBSID(t *testing.T) {
	for id, want := range map[string]bool{
		"1": true, "1.srv": true, "2[3].srv-1.example.org": true, "2[3]": true,
		"": false, "x": false, "1.": false, "2[].srv": false, "2[3.srv": false, "2[3]x": false, "1.a/b": false, "1.a b": false, ".srv": false, "[3].srv": false,
	} {
		if got := isPBSID(id); got != want {
			t.Errorf("isPBSID(%q) = %t, want %t", id, got, want)
		}
	}
}
