package procfs

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

const statusText = "Name:\tgmx\nUmask:\t0022\nState:\tR (running)\nTgid:\t4711\nNgid:\t0\nPid:\t4711\nPPid:\t4242\nTracerPid:\t0\n" +
	"Uid:\t1001\t0\t0\t0\nGid:\t100\t100\t100\t100\nFDSize:\t64\nGroups:\t100\n"

func TestParseStatus(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Status
	}{
		{"a setuid program", statusText, Status{UID: 1001, EUID: 0, GID: 100}},
		{"a name that looks like a line", "Name:\tUid:\\n0\n" + statusText[len("Name:\tgmx\n"):], Status{UID: 1001, EUID: 0, GID: 100}},
		{"the highest ids", "Name:\tx\nUid:\t4294967294\t4294967294\t1\t1\nGid:\t4294967295\t1\t1\t1\n", Status{UID: 4294967294, EUID: 4294967294, GID: procmon.NoUID}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseStatus([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseStatusRefuses(t *testing.T) {
	for _, text := range []string{
		"", "Name:\tx\n", "Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\n", "Name:\tx\nUid:\t1\nGid:\t1\t1\t1\t1\n",
		"Name:\tx\nUid:\t-1\t1\t1\t1\nGid:\t1\n", "Name:\tx\nUid:\t4294967296\t1\t1\t1\nGid:\t1\t1\t1\t1\n", "Name:\tx\nUid:\t1\t1\t1\t1\n",
	} {
		got, err := ParseStatus([]byte(text))
		if !errors.Is(err, ErrFormat) || got.UID != procmon.NoUID {
			t.Errorf("%q: %+v, %v; want no user and %v", text, got, err, ErrFormat)
		}
	}
}

func TestDeadStatus(t *testing.T) {
	for _, test := range []struct {
		state, threads string
		want           bool
	}{{"S (sleeping)", "1", false}, {"R (running)", "5", false}, {"Z (zombie)", "1", true}, {"Z (zombie)", "4", false}, {"X (dead)", "0", true}, {"D (disk sleep)", "1", false}} {
		text := "Name:\tState:\\tS\nState:\t" + test.state + "\nThreads:\t" + test.threads + "\n"
		if got := DeadStatus([]byte(text)); got != test.want {
			t.Errorf("%s with %s threads: dead %v", test.state, test.threads, got)
		}
	}
	if !DeadStatus(nil) {
		t.Error("an empty file: not dead")
	}
}

func TestParseGroups(t *testing.T) {
	for text, want := range map[string][]uint32{
		statusText: {100}, "Name:\tx\nGroups:\t4 24 4294967294 \n": {4, 24, 4294967294}, "Name:\tx\nGroups:\t \n": nil,
	} {
		if got, err := ParseGroups([]byte(text)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "Name:\tx\n", "Name:\tx\nGroups:\t4 24", "Name:\tx\nGroups:\t-1\n", "Name:\tx\nGroups:\t4294967296\n"} {
		if got, err := ParseGroups([]byte(text)); !errors.Is(err, ErrFormat) || got != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte(statusText))
	f.Add([]byte("Name:\tx\nUid:\t1\t\t\t\nGid:\t1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		DeadStatus(b)
		if g, err := ParseGroups(b); err != nil && g != nil {
			t.Errorf("%q: an error and groups %d", b, g)
		}
		if s, err := ParseStatus(b); err != nil && s.UID != procmon.NoUID {
			t.Errorf("%q: an error and user %d", b, s.UID)
		}
	})
}
