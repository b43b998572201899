package collector

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procmon"
)

var epoch = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// stories begin a while after boot, so that a start in ticks is never 0.
const storyBegin = procmon.BootNS(100e9)

// ms is a time in milliseconds since the story began.
func ms(n int) procmon.BootNS { return storyBegin + procmon.BootNS(n)*1e6 }

func wall(b procmon.BootNS) time.Time { return epoch.Add(time.Duration(b - storyBegin)) }

// story tells Live what happens and writes down what it makes of it. Uid 0 is
// not recorded; a process's job is its environment's JOB, else its parent's.
type story struct {
	t     *testing.T
	live  *Live
	alive map[int32]bool // what Alive says
	told  []string
}

func newStory(t *testing.T, readers int, finals bool) *story {
	s := &story{t: t, alive: map[int32]bool{}}
	cfg := LiveConfig{
		Readers: readers,
		Job: func(p *procmon.Process, parent procmon.Job) procmon.Job {
			if id, ok := p.Getenv("JOB"); ok {
				return procmon.Job{RawID: id}
			}
			return parent
		},
		Record: func(p *procmon.Process, _ *procmon.Job) bool { return p.UID != 0 && p.UID != procmon.NoUID },
		Person: func(uid uint32) bool { return uid >= 1000 },
		Wall:   wall,
		Alive:  func(id procmon.ProcessID) bool { return s.alive[id.PID] },
	}
	if finals {
		cfg.FinalWait = 1e9
	}
	s.live = NewLive(cfg)
	return s
}

// process is a process as a source would read it: started at start.
func process(pid int32, start, at procmon.BootNS, uid uint32, exe string, env ...string) *procmon.Process {
	p := &procmon.Process{Exe: exe, UID: uid, Time: wall(at), Env: []byte(strings.Join(env, "\x00"))}
	p.Run = procmon.RunID{Process: procmon.ProcessID{PID: pid, Start: start.Ticks()}, Exec: at}
	return p
}

func (s *story) exec(reader int, at procmon.BootNS, p *procmon.Process) {
	s.live.Apply(&procmon.Event{Kind: procmon.EventExec, Reader: reader, Time: at, Proc: p.Run.Process, Process: p})
}

func (s *story) fork(reader int, at procmon.BootNS, parent, child int32) {
	s.live.Apply(&procmon.Event{Kind: procmon.EventFork, Reader: reader, Time: at,
		Proc: procmon.ProcessID{PID: child, Start: at.Ticks()}, Parent: procmon.ProcessID{PID: parent}})
}

func (s *story) exit(reader int, at procmon.BootNS, pid int32, status uint32) {
	s.live.Apply(&procmon.Event{Kind: procmon.EventExit, Reader: reader, Time: at, Proc: procmon.ProcessID{PID: pid}, Wait: status})
}

func (s *story) final(reader int, at procmon.BootNS, pid int32, cpu int) {
	s.live.Apply(&procmon.Event{Kind: procmon.EventFinal, Reader: reader, Time: at, Proc: procmon.ProcessID{PID: pid}, Used: used(cpu)})
}

func used(cpu int) procmon.Counters {
	d := time.Duration(cpu) * time.Millisecond
	return procmon.Counters{CPU: d, User: d}
}

func (s *story) mark(at procmon.BootNS) {
	for r := range s.live.cfg.Readers {
		s.live.Apply(&procmon.Event{Kind: procmon.EventMark, Reader: r, Time: at})
	}
	s.advance()
}

// advance writes changes down as one would tell them.
func (s *story) advance() {
	for _, c := range s.live.Advance() {
		r := c.run
		name := fmt.Sprintf("%s[%d]", r.Process.Exe, r.Process.Run.Process.PID)
		if r.Job.RawID != "" {
			name += " job " + r.Job.RawID
		}
		if !c.ended {
			if r.Adopted {
				name += " adopted"
			}
			s.told = append(s.told, "+ "+name)
			continue
		}
		text := "- " + name + " at " + r.End.Sub(epoch).String()
		if r.Exit != nil {
			text += fmt.Sprintf(" exit %d/%d", r.Exit.Code, r.Exit.Signal)
		}
		if r.Usage != nil {
			text += " cpu " + r.Usage.CPU().String()
		}
		if r.Unknown {
			text += " unknown"
		}
		s.told = append(s.told, text)
	}
}

func (s *story) want(lines ...string) {
	s.t.Helper()
	if diff := cmp.Diff(lines, s.told); diff != "" {
		s.t.Errorf("story (-want +got):\n%s", diff)
	}
}

func TestLiveStories(t *testing.T) {
	for _, test := range []struct {
		name string
		tell func(s *story)
		want []string
	}{
		{"one run", func(s *story) {
			s.fork(0, ms(1), 1, 10)
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "true"))
			s.exit(0, ms(9), 10, 3<<8)
			s.final(0, ms(9), 10, 5)
			s.mark(ms(20))
		}, []string{"+ true[10]", "- true[10] at 9ms exit 3/0 cpu 5ms"}},
		{"a second execve is a second run, and the CPU time is split", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "bash"))
			second := process(10, ms(1), ms(30), 1000, "gmx")
			second.Before = used(20)
			s.exec(0, ms(30), second)
			s.exit(0, ms(90), 10, 9)
			s.final(0, ms(90), 10, 70)
			s.mark(ms(100))
		}, []string{"+ bash[10]", "- bash[10] at 30ms cpu 20ms", "+ gmx[10]", "- gmx[10] at 90ms exit 0/9 cpu 50ms"}},
		{"forked children count for their run", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "python"))
			s.fork(0, ms(5), 10, 11)
			s.fork(0, ms(6), 11, 12)
			s.exit(0, ms(50), 12, 0)
			s.final(0, ms(50), 12, 40)
			s.exit(0, ms(60), 11, 0)
			s.final(0, ms(60), 11, 45)
			s.exit(0, ms(70), 10, 0)
			s.final(0, ms(70), 10, 1)
			s.mark(ms(100))
		}, []string{"+ python[10]", "- python[10] at 70ms exit 0/0 cpu 86ms"}},
		{"a run lasts as long as its last forked child", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "server"))
			s.fork(0, ms(5), 10, 11)
			s.exit(0, ms(6), 10, 0)
			s.final(0, ms(6), 10, 1)
			s.mark(ms(50))
			s.exit(0, ms(90), 11, 15)
			s.final(0, ms(90), 11, 80)
			s.mark(ms(100))
		}, []string{"+ server[10]", "- server[10] at 90ms exit 0/0 cpu 81ms"}},
		{"what a child used before its execve is its parent's", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "bash"))
			s.fork(0, ms(5), 10, 11)
			child := process(11, ms(5), ms(9), 1000, "ls")
			child.Before = used(3)
			s.exec(0, ms(9), child)
			s.exit(0, ms(20), 11, 0)
			s.final(0, ms(20), 11, 7)
			s.exit(0, ms(30), 10, 0)
			s.final(0, ms(30), 10, 10)
			s.mark(ms(100))
		}, []string{"+ bash[10]", "+ ls[11]", "- ls[11] at 20ms exit 0/0 cpu 4ms", "- bash[10] at 30ms exit 0/0 cpu 13ms"}},
		{"a job is handed down", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "bash", "JOB=7"))
			s.fork(0, ms(3), 10, 11)
			s.exec(0, ms(4), process(11, ms(3), ms(4), 1000, "a"))
			s.exec(0, ms(5), process(11, ms(3), ms(5), 1000, "b"))
			s.mark(ms(10))
		}, []string{"+ bash[10] job 7", "+ a[11] job 7", "- a[11] job 7 at 5ms", "+ b[11] job 7"}},
		{"root's programs end a run and make none", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "sudo"))
			s.exec(0, ms(5), process(10, ms(1), ms(5), 0, "id"))
			s.exit(0, ms(9), 10, 0)
			s.final(0, ms(9), 10, 5)
			s.mark(ms(20))
		}, []string{"+ sudo[10]", "- sudo[10] at 5ms"}},
		{"a process that vanished before it was read ends the run that it was", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
			gone := process(10, 0, ms(4), procmon.NoUID, "")
			s.exec(0, ms(4), gone)
			s.exit(0, ms(5), 10, 0)
			s.mark(ms(20))
		}, []string{"+ a[10]", "- a[10] at 4ms"}},
		{"a pid that comes again without an exit", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
			s.exec(0, ms(5000), process(10, ms(4990), ms(5000), 1000, "b"))
			s.mark(ms(6000))
		}, []string{"+ a[10]", "- a[10] at 5s unknown", "+ b[10]"}},
		{"a pid that is forked again without an exit", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
			s.exec(0, ms(3), process(20, ms(1), ms(3), 1000, "p"))
			s.fork(0, ms(5000), 20, 10)
			s.exit(0, ms(5001), 20, 0)
			s.final(0, ms(5001), 20, 1)
			s.exit(0, ms(5002), 10, 0)
			s.final(0, ms(5002), 10, 2)
			s.mark(ms(6000))
		}, []string{"+ a[10]", "+ p[20]", "- a[10] at 5s unknown", "- p[20] at 5.002s exit 0/0 cpu 3ms"}},
		{"an execve that was read too late shows the next image", func(s *story) {
			first := process(10, ms(1), ms(2), 1000, "b")
			first.Read = ms(9)
			s.exec(0, ms(2), first)
			s.exec(0, ms(5), process(10, ms(1), ms(5), 1000, "b"))
			s.mark(ms(20))
		}, []string{"+ [10]", "- [10] at 5ms", "+ b[10]"}},
		{"counters before the exit", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
			s.final(0, ms(8), 10, 5)
			s.exit(0, ms(9), 10, 0)
			s.mark(ms(20))
		}, []string{"+ a[10]", "- a[10] at 9ms exit 0/0 cpu 5ms"}},
		{"counters that never come", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
			s.exit(0, ms(9), 10, 0)
			s.mark(ms(1000))
			s.told = append(s.told, "waits")
			s.mark(ms(1100))
		}, []string{"+ a[10]", "waits", "- a[10] at 9ms exit 0/0"}},
		{"an exit that never comes", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
			s.final(0, ms(9), 10, 5)
			s.mark(ms(1010))
		}, []string{"+ a[10]", "- a[10] at 9ms cpu 5ms"}},
		{"a leader that exits before its threads", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
			s.exit(0, ms(9), 10, 0)
			s.alive[10] = true
			s.mark(ms(2000))
			s.told = append(s.told, "goes on")
			s.final(0, ms(9000), 10, 8000)
			s.mark(ms(9010))
		}, []string{"+ a[10]", "goes on", "- a[10] at 9s exit 0/0 cpu 8s"}},
		{"late counters of an earlier process are not the next one's", func(s *story) {
			s.exec(0, ms(10002), process(10, ms(10001), ms(10002), 1000, "b"))
			s.live.Apply(&procmon.Event{Kind: procmon.EventFinal, Time: ms(10003), Proc: procmon.ProcessID{PID: 10, Start: ms(1).Ticks()}, Used: used(9000)})
			s.exit(0, ms(10005), 10, 0)
			s.final(0, ms(10005), 10, 1)
			s.mark(ms(10010))
		}, []string{"+ b[10]", "- b[10] at 10.005s exit 0/0 cpu 1ms"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t, 1, true)
			test.tell(s)
			s.want(test.want...)
		})
	}
}

func TestLiveWaitsForEveryReader(t *testing.T) {
	s := newStory(t, 2, false)
	// The exit is seen on CPU 1 before the execve is handed on by CPU 0.
	s.exit(1, ms(9), 10, 0)
	s.live.Apply(&procmon.Event{Kind: procmon.EventMark, Reader: 1, Time: ms(50)})
	s.advance()
	s.want()
	s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
	s.live.Apply(&procmon.Event{Kind: procmon.EventMark, Reader: 0, Time: ms(8)})
	s.advance()
	s.want("+ a[10]")
	s.live.Apply(&procmon.Event{Kind: procmon.EventMark, Reader: 0, Time: ms(40)})
	s.advance()
	s.want("+ a[10]", "- a[10] at 9ms exit 0/0")
	if n := s.live.Held(); n != 0 {
		t.Errorf("%d events still held", n)
	}
}

func TestLiveCountsLostUsage(t *testing.T) {
	s := newStory(t, 1, true)
	s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
	s.exit(0, ms(9), 10, 0)
	s.mark(ms(3000))
	if n := s.live.UsageLost(); n != 1 {
		t.Errorf("usage lost %d times, want 1", n)
	}
	if n := s.live.UsageLost(); n != 0 {
		t.Errorf("told again: %d", n)
	}
}

func TestLiveRunsOfJob(t *testing.T) {
	s := newStory(t, 1, false)
	key := procmon.JobKey{RawID: "7"}
	s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a", "JOB=7"))
	s.exec(0, ms(3), process(11, ms(1), ms(3), 1000, "b", "JOB=7"))
	s.mark(ms(5))
	if n := s.live.RunsOf(key); n != 2 {
		t.Errorf("%d runs of the job, want 2", n)
	}
	s.exec(0, ms(4), process(12, ms(1), ms(4), 1000, "other", "JOB=8"))
	s.fork(0, ms(5), 11, 20)
	s.mark(ms(6))
	n, oldest := s.live.Survivors(key, 1)
	if n != 2 || len(oldest) != 1 || oldest[0].Run.Process.PID != 10 {
		t.Errorf("%d survivors, the oldest %+v; want 2, and pid 10", n, oldest)
	}
	s.exit(0, ms(9), 20, 0)
	s.exit(0, ms(9), 12, 0)
	s.exit(0, ms(9), 10, 0)
	s.exit(0, ms(9), 11, 0)
	s.mark(ms(20))
	if n := s.live.RunsOf(key); n != 0 || len(s.live.jobs) != 0 {
		t.Errorf("%d runs of the job, want none", n)
	}
}

func TestLiveBoundsWhatRunsHold(t *testing.T) {
	s := newStory(t, 1, false)
	const runs = 100
	for i := range runs {
		p := process(int32(10+i), ms(1), ms(2), 1000, "a")
		p.Args = make([]byte, 1<<20)
		p.ArgsBytes = len(p.Args)
		s.exec(0, ms(2), p)
	}
	s.mark(ms(10))
	if s.live.liveBytes > maxLiveBytes+1<<20 {
		t.Errorf("live runs hold %d bytes", s.live.liveBytes)
	}
	for i := range runs {
		s.exit(0, ms(20), int32(10+i), 0)
	}
	s.live.Apply(&procmon.Event{Kind: procmon.EventMark, Time: ms(30)})
	for _, c := range s.live.Advance() {
		if p := c.run.Process; p.ArgsBytes != 1<<20 {
			t.Fatalf("the true length is lost: %d", p.ArgsBytes)
		}
	}
	if s.live.liveBytes != 0 {
		t.Errorf("%d bytes are left", s.live.liveBytes)
	}
}

func TestLiveCountsProcessesThatWereForkedAway(t *testing.T) {
	s := newStory(t, 1, true)
	final := func(uid uint32, cpu int) {
		s.live.Apply(&procmon.Event{Kind: procmon.EventFinal, Time: ms(5), Proc: procmon.ProcessID{PID: 77}, Used: used(cpu), UID: uid})
	}
	final(1000, 3000)
	final(1000, 1) // not worth telling
	final(0, 3000) // not a person
	s.mark(ms(10))
	if n := s.live.UsageLost(); n != 1 {
		t.Errorf("lost usage told %d times, want 1", n)
	}
}
