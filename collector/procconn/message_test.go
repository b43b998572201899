package procconn

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
)

// raw makes a message as the kernel sends it.
func raw(what, cpu uint32, time uint64, data ...uint32) []byte {
	ne := binary.NativeEndian
	b := make([]byte, messageSize)
	ne.PutUint32(b, messageSize)
	ne.PutUint32(b[offWhat:], what)
	ne.PutUint32(b[offCPU:], cpu)
	ne.PutUint64(b[offTime:], time)
	for i, d := range data {
		ne.PutUint32(b[offData+4*i:], d)
	}
	return b
}

func TestParseMessage(t *testing.T) {
	for _, test := range []struct {
		name string
		in   []byte
		want message
		ok   bool
	}{
		{"exec", raw(whatExec, 3, 42, 10, 10), message{What: whatExec, CPU: 3, Time: 42, PID: 10, Thread: 10}, true},
		{"fork", raw(whatFork, 0, 42, 5, 4, 11, 10), message{What: whatFork, Time: 42, PID: 10, Thread: 11, Parent: 4}, true},
		{"exit", raw(whatExit, 0, 42, 10, 10, 0x8b, 17), message{What: whatExit, Time: 42, PID: 10, Thread: 10, Wait: 0x8b}, true},
		{"a kind that is not asked for", raw(4, 0, 42, 10, 10), message{}, false},
		{"no pid", raw(whatExec, 0, 42), message{}, false},
		{"short", raw(whatExec, 0, 42, 10, 10)[:60], message{}, false},
		{"empty", nil, message{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := parseMessage(test.in)
			if ok != test.ok {
				t.Fatalf("ok %v, want %v", ok, test.ok)
			}
			if diff := cmp.Diff(test.want, got); ok && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add(raw(whatExec, 3, 42, 10, 10))
	f.Add(raw(whatExit, 3, 42, 10, 10)[:70])
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := parseMessage(b); ok && (m.PID <= 0 || len(b) < messageSize) {
			t.Errorf("%x: %+v", b, m)
		}
	})
}

func TestListen(t *testing.T) {
	if n := len(listen(opListen, 0)); n != 24 {
		t.Errorf("the form that every kernel knows has %d bytes, want 24", n)
	}
	if b := listen(opListen, whatExec); len(b) != 28 || binary.NativeEndian.Uint16(b[16:]) != 8 {
		t.Errorf("the form with a mask: %x", b)
	}
}

func TestFilter(t *testing.T) {
	own := []cpuRange{{1, 1}}
	split := cpuRange{0, maxCPU}.without([]int{1, 4})
	for _, test := range []struct {
		name string
		cpus []cpuRange
		in   []byte
		want bool
	}{
		{"exec on the own CPU", own, raw(whatExec, 1, 1, 10, 10), true},
		{"exec elsewhere", own, raw(whatExec, 0, 1, 10, 10), false},
		{"CPU 257 is not CPU 1", own, raw(whatExec, 257, 1, 10, 10), false},
		{"fork of a process", own, raw(whatFork, 1, 1, 4, 4, 10, 10), true},
		{"fork of a thread", own, raw(whatFork, 1, 1, 4, 4, 11, 10), false},
		{"exit of a process", own, raw(whatExit, 1, 1, 10, 10, 0, 17), true},
		{"exit of a thread", own, raw(whatExit, 1, 1, 11, 10, 0, 17), false},
		{"setuid", own, raw(4, 1, 1, 10, 10), false},
		{"answer to listen", own, raw(0, 1, 1, 0, 0), false},
		{"in a range", split, raw(whatExec, 0, 1, 10, 10), true},
		{"not another reader's", split, raw(whatExec, 1, 1, 10, 10), false},
		{"in between", split, raw(whatExec, 3, 1, 10, 10), true},
		{"another's that came later", split, raw(whatExec, 4, 1, 10, 10), false},
		{"behind them", split, raw(whatExec, 300, 1, 10, 10), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			prog, err := filter(test.cpus)
			if err != nil {
				t.Fatal(err)
			}
			ins, ok := bpf.Disassemble(prog)
			if !ok {
				t.Fatal("the program does not disassemble")
			}
			vm, err := bpf.NewVM(ins)
			if err != nil {
				t.Fatal(err)
			}
			n, err := vm.Run(test.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := n > 0; got != test.want {
				t.Errorf("accepted %v, want %v", got, test.want)
			}
		})
	}
}

func TestFilterOfManyCPUs(t *testing.T) {
	var cpus []int
	for i := 0; i < 1024; i += 2 {
		cpus = append(cpus, i)
	}
	prog, err := filter(cpuRange{0, maxCPU}.without(cpus))
	if err != nil {
		t.Fatal(err)
	}
	const most = 4096 // BPF_MAXINSNS
	if len(prog) > most {
		t.Errorf("%d instructions, at most %d", len(prog), most)
	}
}

func TestRangeWithout(t *testing.T) {
	for _, test := range []struct {
		cpus []int
		want []cpuRange
	}{
		{nil, []cpuRange{{2, 9}}},
		{[]int{1, 10}, []cpuRange{{2, 9}}},
		{[]int{2, 4, 5, 9}, []cpuRange{{3, 3}, {6, 8}}},
		{[]int{2, 3, 4, 5, 6, 7, 8, 9}, nil},
	} {
		if diff := cmp.Diff(test.want, cpuRange{2, 9}.without(test.cpus), cmp.AllowUnexported(cpuRange{})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.cpus, diff)
		}
	}
}
