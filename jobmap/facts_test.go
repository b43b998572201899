package jobmap

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// line makes a block as the hooks write it.
func line(kind string, fields ...string) string {
	return "\n" + kind + "\t" + strings.Join(append(fields, "."), "\t") + "\n"
}

var allFacts = cmp.AllowUnexported(facts{}, share{}, stamp{}, block{})

func TestParseBlocks(t *testing.T) {
	long := strings.Repeat("x", maxValue+1)
	for _, tt := range []struct {
		name, data string
		want       []block
	}{
		{"nothing", "", nil},
		{"one", line("begin", "ID=5", "USER=a b=c"), []block{{"begin", map[string]string{"ID": "5", "USER": "a b=c"}}}},
		{"cut short", "\nbegin\tID=5\tUSER=al", nil},
		{"cut short, then another", "\nbegin\tID=5\tUSER=al" + line("end", "ID=5"), []block{{"end", map[string]string{"ID": "5"}}}},
		{"cut before its end mark", "begin\tID=5\t\nend\t.\n", []block{{"end", map[string]string{}}}},
		{"last newline missing", "begin\tID=5\t.", []block{{"begin", map[string]string{"ID": "5"}}}},
		{"first of a key counts", line("begin", "ID=5", "ID=6"), []block{{"begin", map[string]string{"ID": "5"}}}},
		{"values refused", line("begin", "A=\x1b[m", "B=\xff", "C=", "D="+long, "noequals", strings.Repeat("K", 33)+"=1", "E=é"),
			[]block{{"begin", map[string]string{"E": "é"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, parseBlocks([]byte(tt.data)), allFacts); d != "" {
				t.Errorf("blocks (-want +got):\n%s", d)
			}
		})
	}
}

func TestParseFacts(t *testing.T) {
	id := []string{"SCHEDULER=slurm", "ID=5", "UID=1001", "USER=alice", "NODE=n1", "CPUS_PER_NODE=2"}
	with := func(more ...string) []string { return append(id[:len(id):len(id)], more...) }
	base := facts{scheduler: "slurm", id: "5", uid: 1001, hasUID: true, user: "alice"}
	made := func(change func(*facts)) *facts {
		f := base
		change(&f)
		return &f
	}
	at := func(s float64) stamp { return stamp{uptime: time.Duration(s * float64(time.Second)), boot: "b"} }
	for _, tt := range []struct {
		name, data string
		want       []*facts
	}{
		{"requeued, as Slurm 22.05 tells it", line("begin", with("RESTART=0", "UPTIME=10", "BOOT=b")...) + line("end", with("RESTART=1", "UPTIME=20", "BOOT=b")...) +
			line("begin", with("RESTART=1", "UPTIME=30", "BOOT=b")...) + line("end", with("RESTART=1", "UPTIME=40", "BOOT=b")...), []*facts{
			made(func(f *facts) {
				f.shares = []share{{node: "n1", cpus: 2, began: true, ended: true, requeued: true, start: at(10), end: at(20)}}
			}),
			made(func(f *facts) {
				f.restart = 1
				f.shares = []share{{node: "n1", cpus: 2, began: true, ended: true, start: at(30), end: at(40)}}
			}),
		}},
		{"begun", line("begin", with("UPTIME=10.05", "BOOT=b", "GPUS=0,1")...), []*facts{made(func(f *facts) {
			f.shares = []share{{node: "n1", cpus: 2, gpus: 2, began: true, start: at(10.05)}}
		})}},
		{"ended", line("begin", with("UPTIME=10", "BOOT=b")...) + line("end", with("UPTIME=20", "BOOT=b", "END_TIME=99")...), []*facts{made(func(f *facts) {
			f.shares = []share{{node: "n1", cpus: 2, began: true, ended: true, start: at(10), end: stamp{uptime: 20 * time.Second, boot: "b", unix: 99}}}
		})}},
		{"epilog alone", line("end", with("UPTIME=20", "BOOT=b", "START_TIME=90")...), []*facts{made(func(f *facts) {
			f.shares = []share{{node: "n1", cpus: 2, ended: true, start: stamp{unix: 90}, end: at(20)}}
		})}},
		{"two nodes, one ended", line("begin", with()...) + line("begin", append([]string{"NODE=n2", "CPUS=3"}, id[:4]...)...) + line("end", with()...), []*facts{made(func(f *facts) {
			f.shares = []share{{node: "n1", cpus: 2, began: true, ended: true}, {node: "n2", cpus: 3, began: true}}
		})}},
		{"requeued before its summary", line("begin", with()...) + line("end", with()...) + line("begin", with("RESTART=1")...), []*facts{
			made(func(f *facts) { f.shares = []share{{node: "n1", cpus: 2, began: true, ended: true}} }),
			made(func(f *facts) { f.restart = 1; f.shares = []share{{node: "n1", cpus: 2, began: true}} }),
		}},
		{"requeued without an epilog", line("begin", with()...) + line("begin", with("RESTART=1", "UPTIME=30", "BOOT=b")...), []*facts{
			made(func(f *facts) { f.shares = []share{{node: "n1", cpus: 2, began: true, ended: true, end: at(30)}} }),
			made(func(f *facts) { f.restart = 1; f.shares = []share{{node: "n1", cpus: 2, began: true, start: at(30)}} }),
		}},
		{"summarised", line("begin", with()...) + line("end", with()...) + line("done", "RESTART=0"), []*facts{made(func(f *facts) {
			f.done = true
			f.shares = []share{{node: "n1", cpus: 2, began: true, ended: true}}
		})}},
		{"another job of the same id", line("begin", "SCHEDULER=slurm", "ID=5", "UID=7", "NODE=n1") + line("end", "NODE=n1") + line("begin", with()...), []*facts{made(func(f *facts) {
			f.shares = []share{{node: "n1", cpus: 2, began: true}}
		})}},
		{"done of nothing", line("done", "RESTART=3"), nil},
		{"unknown kind", line("suspend", with()...), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, parseFacts([]byte(tt.data)), allFacts); d != "" {
				t.Errorf("facts (-want +got):\n%s", d)
			}
		})
	}
}

func FuzzParseFacts(f *testing.F) {
	f.Add([]byte(told("end1@n1 begin1@n1 end2@n1 end2@n1 done1 begin2@n1 begin0@n1 end1@n2")))
	f.Add([]byte(line("begin", "SCHEDULER=slurm", "ID=5", "NODE=n1", "CPUS_PER_NODE=2(x3),4", "NODELIST=n[1-4]", "UPTIME=1.5", "BOOT=x") + line("end", "NODE=n1") + line("done", "RESTART=0")))
	f.Add([]byte("\nbegin\tID=5\tUSER=al\nend\tRESTART=99999999999\tUPTIME=NaN\t.\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		seen := make(map[int]bool)
		for _, one := range parseFacts(data) {
			if seen[one.restart] || len(one.shares) == 0 {
				t.Errorf("restart %d twice or nowhere", one.restart)
			}
			seen[one.restart] = true
			for _, v := range []string{one.id, one.user, one.account, one.cluster, one.name} {
				if strings.ContainsAny(v, "\n\t\x00\x1b") {
					t.Errorf("a value holds %q", v)
				}
			}
			sum := one.summary("", bootClock{now: time.Unix(1e9, 0), uptime: time.Hour, boot: "x"}, time.Time{})
			if sum.CPUs < 0 || sum.GPUs < 0 || sum.Job.Restart < 0 {
				t.Errorf("summary %+v", sum)
			}
		}
	})
}
