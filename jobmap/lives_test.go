package jobmap

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

// told makes a job's file of words such as "begin0@n1", "end1@n1" and "done0",
// the block at position i with UPTIME=i+1. A "-" is a line that was cut short.
func told(words string) string {
	var data strings.Builder
	for i, word := range strings.Fields(words) {
		event, node, _ := strings.Cut(word, "@")
		kind := strings.TrimRight(event, "0123456789")
		switch {
		case word == "-":
			data.WriteString("\nbegin\tSCHEDULER=slurm\tID=5\tREST")
		case kind == blockDone:
			data.WriteString(line(kind, "RESTART="+event[len(kind):]))
		default:
			uid, kind := "1001", kind
			if other, ok := strings.CutPrefix(kind, "bob-"); ok {
				uid, kind = "1002", other
			}
			data.WriteString(line(kind, "SCHEDULER=slurm", "ID=5", "RESTART="+strings.TrimLeft(event, "-abcdefghijklmnopqrstuvwxyz"),
				"UID="+uid, "NODE="+node, "CPUS_PER_NODE=2", "UPTIME="+strconv.Itoa(i+1), "BOOT=boot1"))
		}
	}
	return data.String()
}

// lived says of each life when it began and ended on each node, by the
// position of the block: "0 n1 1-2"; "?" is an end without a time.
func lived(all []*facts) string {
	var lives []string
	for _, f := range all {
		text := strconv.Itoa(f.restart)
		for _, s := range f.shares {
			text += " " + s.node + " "
			if s.began {
				text += strconv.Itoa(int(s.start.uptime / time.Second))
			}
			text += "-"
			switch {
			case s.end.boot != "":
				text += strconv.Itoa(int(s.end.uptime / time.Second))
			case s.ended:
				text += "?"
			}
		}
		if f.done {
			text += " done"
		}
		lives = append(lives, text)
	}
	return strings.Join(lives, "; ")
}

func TestLives(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"requeued, as Slurm 22.05 tells it", "begin0@n1 end1@n1 begin1@n1 end1@n1", "0 n1 1-2; 1 n1 3-4"},
		{"requeued, not begun again yet", "begin0@n1 end1@n1", "0 n1 1-2"},
		{"requeued, running again", "begin0@n1 end1@n1 begin1@n1", "0 n1 1-2; 1 n1 3-"},
		{"requeued twice", "begin0@n1 end1@n1 begin1@n1 end2@n1 begin2@n1 end2@n1", "0 n1 1-2; 1 n1 3-4; 2 n1 5-6"},
		{"end with its own number", "begin0@n1 end0@n1 begin1@n1 end1@n1", "0 n1 1-2; 1 n1 3-4"},
		{"own number, then begun again without a prolog", "begin0@n1 end0@n1 end1@n1", "0 n1 1-2; 1 n1 -3"},

		{"two nodes", "begin0@n1 begin0@n2 end1@n1 end1@n2 begin1@n1 begin1@n2 end1@n2 end1@n1", "0 n1 1-3 n2 2-4; 1 n1 5-8 n2 6-7"},
		{"two nodes, one still at it", "begin0@n1 begin0@n2 end1@n2", "0 n1 1- n2 2-3"},
		{"two nodes, begun again on one before the other's end", "begin0@n1 begin0@n2 end1@n1 begin1@n1 end1@n2 begin1@n2 end1@n1", "0 n1 1-3 n2 2-5; 1 n1 4-7 n2 6-"},
		{"two nodes, of which one counted before", "begin0@n1 begin0@n2 end0@n1 end1@n2", "0 n1 1-3 n2 2-4"},
		{"begun again on another node", "begin0@n1 end1@n1 begin1@n2 end1@n2", "0 n1 1-2; 1 n2 3-4"},
		{"begun again on another node before its end", "begin0@n1 begin1@n2 end1@n1 end1@n2", "0 n1 1-3; 1 n2 2-4"},
		{"an end of a node that it never began on", "begin0@n1 end1@n2", "0 n1 1-?; 1 n2 -2"},

		{"epilog run twice", "begin0@n1 end1@n1 end1@n1", "0 n1 1-3"},
		{"epilog run twice, then begun again", "begin0@n1 end1@n1 end1@n1 begin1@n1 end1@n1", "0 n1 1-3; 1 n1 4-5"},
		{"epilog of the last life run twice", "begin0@n1 end1@n1 begin1@n1 end1@n1 end1@n1", "0 n1 1-2; 1 n1 3-5"},
		{"epilog run twice, of two nodes", "begin0@n1 begin0@n2 end1@n1 end1@n1 end1@n2", "0 n1 1-4 n2 2-5"},
		{"epilog run again with the next number", "begin0@n1 end0@n1 end1@n1 begin1@n1", "0 n1 1-2; 1 n1 4-"},

		{"summarised", "begin0@n1 end1@n1 done0", "0 n1 1-2 done"},
		{"summarised, then the epilog again", "begin0@n1 end1@n1 done0 end1@n1", "0 n1 1-4 done"},
		{"summarised between", "begin0@n1 end1@n1 done0 begin1@n1 end1@n1 done1", "0 n1 1-2 done; 1 n1 4-5 done"},
		{"summarised while running again", "begin0@n1 end1@n1 begin1@n1 done0 end1@n1", "0 n1 1-2 done; 1 n1 3-5"},
		{"summarised before the late end of a node", "begin0@n1 begin0@n2 end1@n1 begin1@n1 done0 end1@n2", "0 n1 1-3 n2 2-6 done; 1 n1 4-"},
		{"summarised under the next number", "end1@n1 done1 begin1@n1", "1 n1 3-"},

		{"begun again before the late end", "begin0@n1 begin1@n1 end1@n1", "0 n1 1-2; 1 n1 2-3"},
		{"begun again before the late end, then ended", "begin0@n1 begin1@n1 end1@n1 end1@n1", "0 n1 1-2; 1 n1 2-4"},

		{"first begin cut off", "end1@n1", "1 n1 -1"},
		{"first begin cut off, begun again", "end1@n1 begin1@n1 end1@n1", "0 n1 -1; 1 n1 2-3"},
		{"first begin cut off, two nodes", "end1@n1 end1@n2 begin1@n1 begin1@n2", "0 n1 -1 n2 -2; 1 n1 3- n2 4-"},
		{"first begin cut off, the other node's not", "begin0@n2 end1@n1 end1@n2 begin1@n1", "0 n2 1-3 n1 -2; 1 n1 4-"},
		{"first begin cut off, epilog run twice", "end1@n1 end1@n1 begin1@n1", "0 n1 -2; 1 n1 3-"},
		{"line of the first begin cut", "- end1@n1 begin1@n1 end1@n1", "0 n1 -2; 1 n1 3-4"},
		{"all of the first life cut off", "begin1@n1 end1@n1", "1 n1 1-2"},
		{"the first end cut off", "begin0@n1 - begin1@n1 end1@n1", "0 n1 1-3; 1 n1 3-4"},
		// The second end can't be told from an epilog that ran twice. The runs
		// of a life without a prolog count as the first life's, too.
		{"second begin cut off", "begin0@n1 end1@n1 - end1@n1", "0 n1 1-4"},
		{"two restarts later", "begin0@n1 end2@n1", "0 n1 1-?; 2 n1 -2"},

		{"another user's job of the same id", "begin0@n1 bob-end1@n1", "0 n1 1-?; 1 n1 -2"},
		{"another user's, then its own", "begin0@n1 bob-end1@n1 end1@n1", "0 n1 1-3; 1 n1 -2"},
		{"another user's on another node", "bob-begin0@n2 end1@n1 begin1@n1", "0 n2 1-3; 1 n1 3-"},
		{"another job's end, then begun", "bob-end0@n1 begin0@n1", "0 n1 2-"},
		{"another job's requeue, then begun again", "begin0@n1 bob-end1@n1 begin1@n1", "0 n1 1-3; 1 n1 3-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := parseFacts([]byte(told(tt.file)))
			if d := cmp.Diff(tt.want, lived(all)); d != "" {
				t.Errorf("lives (-want +got):\n%s", d)
			}
			for _, f := range all {
				if f.uid != 1001 && !strings.Contains(tt.file, "bob") {
					t.Errorf("restart %d is uid %d's", f.restart, f.uid)
				}
			}
		})
	}
}

// TestLivesAtRandom has a job be requeued over and over on some nodes, with
// epilogs that count before or after and run again, and compares what comes
// out with what was done.
func TestLivesAtRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		var words, want []string
		for life, last := 0, rnd.IntN(5); life <= last; life++ {
			nodes := rnd.Perm(1 + rnd.IntN(3))
			begins, ends := make(map[int]int), make(map[int]int)
			for _, node := range nodes {
				words = append(words, fmt.Sprintf("begin%d@n%d", life, node))
				begins[node] = len(words)
			}
			for _, node := range rnd.Perm(len(nodes)) {
				number := life
				if life < last {
					number += rnd.IntN(2)
				}
				for range 1 + rnd.IntN(2) {
					words = append(words, fmt.Sprintf("end%d@n%d", number, node))
				}
				ends[node] = len(words)
			}
			text := strconv.Itoa(life)
			for _, node := range nodes {
				text += fmt.Sprintf(" n%d %d-%d", node, begins[node], ends[node])
			}
			if rnd.IntN(2) == 0 {
				words = append(words, "done"+strconv.Itoa(life))
				text += " done"
			}
			want = append(want, text)
		}
		file := strings.Join(words, " ")
		if got := lived(parseFacts([]byte(told(file)))); got != strings.Join(want, "; ") {
			t.Fatalf("%s\ngives %s\nwant  %s", file, got, strings.Join(want, "; "))
		}
	}
}

// TestRegistryTellsLivesOnce lets a registry read after each event and has each
// life that it tells summarised. Events joined by "+" come between two reads;
// a "restart" is one of the daemon.
func TestRegistryTellsLivesOnce(t *testing.T) {
	for _, tt := range []struct{ name, events, want string }{
		{"summarised at once", "begin0@n1 end1@n1 begin1@n1 end1@n1", "5.0@2 5.1@4"},
		{"not read between", "begin0@n1+end1@n1+begin1@n1+end1@n1", "5.0@1 5.1@1"},
		{"begun again before the summary", "begin0@n1 end1@n1+begin1@n1 restart end1@n1", "5.0@2 5.1@4"},
		{"daemon started again", "begin0@n1 restart end1@n1 restart begin1@n1 restart end1@n1 restart", "5.0@3 5.1@7"},
		{"epilog again after the summary", "begin0@n1 end1@n1 end1@n1 restart begin1@n1 end1@n1", "5.0@2 5.1@6"},
		{"epilog thrice after the summary", "begin0@n1 end1@n1 end1@n1 end1@n1 begin1@n1 end1@n1", "5.0@2 5.1@6"},
		{"epilog again after the summary, begun again", "begin0@n1 end1@n1 end1@n1+begin1@n1 end1@n1", "5.0@2 5.1@4"},
		{"epilog of the second life again", "begin0@n1 end1@n1 begin1@n1 end1@n1 end1@n1", "5.0@2 5.1@4"},
		{"two nodes", "begin0@n1 begin0@n2 end1@n1 end1@n2 begin1@n1 begin1@n2 end1@n2 end1@n1", "5.0@4 5.1@8"},
		{"two nodes, epilogs again", "begin0@n1 begin0@n2 end1@n1 end1@n2 end1@n2 end1@n1 begin1@n1 end1@n1", "5.0@4 5.1@8"},
		{"two nodes, one begun again first", "begin0@n1 begin0@n2 end1@n1 begin1@n1 end1@n2 begin1@n2 end1@n1 end1@n2", "5.0@4 5.1@8"},
		{"late end after all is summarised", "begin0@n1 begin0@n2 end1@n1 begin1@n1 end1@n1 end1@n2", "5.0@4 5.1@5"},
		{"begun again before the late end", "begin0@n1 begin1@n1 end1@n1 end1@n1", "5.0@2 5.1@3"},
		{"another user's job of the same id", "begin0@n1 end0@n1 bob-end0@n1", "5.0@2 5.0@3"},
		{"first begin cut off", "end1@n1+begin1@n1 end1@n1", "5.0@1 5.1@2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			var got []string
			for i, event := range strings.Fields(tt.events) {
				if event == "restart" {
					s.open(s.dir, s.proc)
				} else {
					write(t, s.dir+"/slurm-5", told(strings.ReplaceAll(event, "+", " ")))
				}
				s.refreshed()
				ids := strings.Fields(s.endedIDs())
				for _, id := range ids {
					got = append(got, id+"@"+strconv.Itoa(i+1))
					_, number, _ := strings.Cut(id, ".")
					n, _ := restart(number)
					if err := s.Done(procmon.JobKey{RawID: "5", Restart: n}); err != nil {
						t.Errorf("Done of %s: %v", id, err)
					}
				}
				s.wantEnded("")
			}
			if d := cmp.Diff(tt.want, strings.Join(got, " ")); d != "" {
				t.Errorf("lives told, and after which event (-want +got):\n%s", d)
			}
		})
	}
}
