package collector

import (
	"testing"

	"procmon"
)

// found is what a census reads of a process that is alive.
func found(pid int32, start, at procmon.BootNS, ppid int32, exe string, noExec bool) procmon.Event {
	p := process(pid, start, start.Ticks().BootNS(), 1000, exe)
	p.Run.Exec, p.PPID, p.NoExec = 0, ppid, noExec
	return procmon.Event{Kind: procmon.EventFound, Time: at, Process: p}
}

// census tells a whole census, which ends at end.
func (s *story) census(begin, end procmon.BootNS, events ...procmon.Event) {
	s.live.BeginCensus(begin)
	for i := range events {
		events[i].Reader = s.live.CensusReader()
		s.live.Apply(&events[i])
	}
	s.live.Apply(&procmon.Event{Kind: procmon.EventCensus, Reader: s.live.CensusReader(), Time: end})
	s.live.EndCensus()
}

func TestLiveAdopts(t *testing.T) {
	for _, test := range []struct {
		name string
		tell func(s *story)
		want []string
	}{
		{"what is alive, forked children with their parents", func(s *story) {
			s.census(ms(1000), ms(1010), found(10, ms(1), ms(1001), 1, "python", false), found(11, ms(2), ms(1002), 10, "python", true))
			s.mark(ms(2000))
			s.exit(0, ms(2100), 10, 0)
			s.exit(0, ms(2200), 11, 0)
			s.mark(ms(3000))
		}, []string{"+ python[10] adopted", "- python[10] at 2.2s exit 0/0"}},
		{"a child of a lower pid than its parent", func(s *story) {
			s.census(ms(1000), ms(1010), found(5, ms(900), ms(1001), 10, "python", true), found(10, ms(1), ms(1002), 1, "python", false))
			s.mark(ms(2000))
		}, []string{"+ python[10] adopted"}},
		{"a forked child whose parent is gone is a run of its own", func(s *story) {
			s.census(ms(1000), ms(1010), found(11, ms(2), ms(1002), 1, "server", true))
			s.mark(ms(2000))
		}, []string{"+ server[11] adopted"}},
		{"an execve that the census saw the result of", func(s *story) {
			s.exec(0, ms(1000), process(10, ms(990), ms(1000), 1000, "a"))
			s.census(ms(999), ms(1010), found(10, ms(990), ms(1005), 1, "a", false))
			s.mark(ms(2000))
		}, []string{"+ a[10]"}},
		{"an execve after the census", func(s *story) {
			s.census(ms(999), ms(1010), found(10, ms(990), ms(1001), 1, "a", false))
			s.exec(0, ms(1005), process(10, ms(990), ms(1005), 1000, "b"))
			s.mark(ms(2000))
		}, []string{"+ a[10] adopted", "- a[10] at 1.005s", "+ b[10]"}},
		{"an exit during the census", func(s *story) {
			s.census(ms(999), ms(1010), found(10, ms(990), ms(1001), 1, "a", false))
			s.exit(0, ms(1004), 10, 0)
			s.mark(ms(2000))
		}, []string{"+ a[10] adopted", "- a[10] at 1.004s exit 0/0"}},
		{"a fork during the census", func(s *story) {
			s.census(ms(999), ms(1010), found(10, ms(990), ms(1001), 1, "a", false))
			s.fork(0, ms(1005), 10, 11)
			s.exit(0, ms(1020), 10, 0)
			s.exit(0, ms(1030), 11, 0)
			s.mark(ms(2000))
		}, []string{"+ a[10] adopted", "- a[10] at 1.03s exit 0/0"}},
		{"after a loss: an exit that was not seen", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
			s.exec(0, ms(2), process(11, ms(1), ms(2), 1000, "b"))
			s.mark(ms(50))
			s.census(ms(1000), ms(1010), found(11, ms(1), ms(1001), 1, "b", false))
			s.mark(ms(2000))
		}, []string{"+ a[10]", "+ b[11]", "- a[10] at 1.01s unknown"}},
		{"after a loss: an execve that was not seen", func(s *story) {
			s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
			s.mark(ms(50))
			s.census(ms(1000), ms(1010), found(10, ms(1), ms(1001), 1, "b", false))
			s.mark(ms(2000))
		}, []string{"+ a[10]", "- a[10] at 1.001s unknown", "+ b[10] adopted"}},
		{"a census that read the image of an execve that is told later", func(s *story) {
			early := found(10, ms(990), ms(1001), 1, "b", false)
			early.Process.Read = ms(1006)
			s.census(ms(999), ms(1010), early)
			s.exec(0, ms(1005), process(10, ms(990), ms(1005), 1000, "b"))
			s.exit(0, ms(1100), 10, 0)
			s.mark(ms(2000))
		}, []string{"+ b[10] adopted", "+ b[10]", "- b[10] at 1.1s exit 0/0"}},
		{"root's program that took a user's id", func(s *story) {
			child := found(11, ms(2), ms(1002), 5, "sshd", true)
			child.Process.Ancestors = []procmon.Ancestor{{Exe: "sshd"}}
			s.census(ms(1000), ms(1010), child)
			s.mark(ms(2000))
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t, 1, false)
			test.tell(s)
			s.want(test.want...)
		})
	}
}

// restart takes what one Live knew over to another.
func restart(t *testing.T, s *story) *story {
	next := newStory(t, 1, s.live.cfg.FinalWait != 0)
	next.live.Restore(s.live.Snapshot(), ms(60))
	return next
}

func TestLiveGoesOnAfterRestart(t *testing.T) {
	before := func(t *testing.T) *story {
		s := newStory(t, 1, true)
		s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "python", "JOB=7"))
		s.fork(0, ms(5), 10, 11)
		s.fork(0, ms(6), 10, 12)
		s.exit(0, ms(7), 12, 0)
		s.final(0, ms(7), 12, 4)
		s.mark(ms(50))
		return s
	}
	for _, test := range []struct {
		name string
		tell func(s *story)
		want []string
	}{
		{"the same run, with what it had used", func(s *story) {
			s.census(ms(1000), ms(1010), found(10, ms(1), ms(1001), 1, "python", false), found(11, ms(5), ms(1002), 10, "python", true))
			s.exit(0, ms(2000), 11, 0)
			s.final(0, ms(2000), 11, 30)
			s.exit(0, ms(2001), 10, 0)
			s.final(0, ms(2001), 10, 10)
			s.mark(ms(3000))
		}, []string{"+ python[10] job 7", "- python[10] job 7 at 2.001s exit 0/0 cpu 44ms"}},
		{"only a forked child is left", func(s *story) {
			s.census(ms(1000), ms(1010), found(11, ms(5), ms(1002), 1, "python", true))
			s.exit(0, ms(2000), 11, 0)
			s.final(0, ms(2000), 11, 30)
			s.mark(ms(3000))
		}, []string{"+ python[10] job 7", "- python[10] job 7 at 2s cpu 34ms unknown"}},
		{"it ended while nobody looked", func(s *story) {
			s.census(ms(1000), ms(1010))
			s.mark(ms(3000))
		}, []string{"+ python[10] job 7", "- python[10] job 7 at 60ms cpu 4ms unknown"}},
		{"it exec'ed while nobody looked", func(s *story) {
			s.census(ms(1000), ms(1010), found(10, ms(1), ms(1001), 1, "perl", false))
			s.mark(ms(3000))
		}, []string{"+ python[10] job 7", "+ perl[10] job 7 adopted", "- python[10] job 7 at 1.001s cpu 4ms unknown"}},
		{"its pid is another process now", func(s *story) {
			s.census(ms(9000), ms(9010), found(10, ms(8000), ms(9001), 1, "python", false))
			s.mark(ms(9100))
		}, []string{"+ python[10] job 7", "+ python[10] adopted", "- python[10] job 7 at 60ms cpu 4ms unknown"}},
		{"it ended after the restart and before it was found", func(s *story) {
			s.exit(0, ms(999), 11, 0)
			s.final(0, ms(999), 11, 30)
			s.exit(0, ms(1000), 10, 0)
			s.final(0, ms(1000), 10, 10)
			s.census(ms(990), ms(1010))
			s.mark(ms(3000))
		}, []string{"+ python[10] job 7", "- python[10] job 7 at 1s exit 0/0 cpu 44ms"}},
		{"it exec'ed after the restart and before it was found", func(s *story) {
			next := process(10, ms(1), ms(1000), 1000, "perl")
			next.Before = used(10)
			s.exec(0, ms(1000), next)
			s.census(ms(990), ms(1010), found(10, ms(1), ms(1005), 1, "perl", false), found(11, ms(5), ms(1006), 10, "python", true))
			s.mark(ms(3000))
		}, []string{"+ python[10] job 7", "+ perl[10] job 7"}},
		{"a child that was forked meanwhile", func(s *story) {
			orphan := found(40, ms(600), ms(1002), 1, "python", true)
			s.census(ms(1000), ms(1010), orphan)
			s.exit(0, ms(2000), 40, 0)
			s.final(0, ms(2000), 40, 5)
			s.mark(ms(3000))
		}, []string{"+ python[10] job 7", "- python[10] job 7 at 2s cpu 9ms unknown"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := restart(t, before(t))
			test.tell(s)
			s.want(test.want...)
		})
	}
}

func TestLiveRestoreKeepsIDsAndStartRecords(t *testing.T) {
	s := newStory(t, 1, false)
	s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
	s.mark(ms(5))
	silent := s.live.Snapshot()
	if len(silent) != 1 || !silent[0].Silent {
		t.Fatalf("a run without a start record is not told as one: %+v", silent)
	}
	next := restart(t, s)
	next.census(ms(10), ms(12), found(10, ms(1), ms(11), 1, "a", false))
	next.live.Apply(&procmon.Event{Kind: procmon.EventMark, Time: ms(100)})
	changes := next.live.Advance()
	if len(changes) != 1 || changes[0].run.startSent || changes[0].run.Process.Run != silent[0].Run.Process.Run {
		t.Errorf("changes %+v: want the same run, still without its start record", changes)
	}
}

func TestLiveMissedExecveTakesNoUsageTwice(t *testing.T) {
	s := newStory(t, 1, true)
	second := process(10, ms(1), ms(5), 1000, "b")
	second.Before = used(20)
	s.exec(0, ms(2), process(10, ms(1), ms(2), 1000, "a"))
	s.exec(0, ms(5), second)
	s.mark(ms(50))
	s.census(ms(1000), ms(1010), found(10, ms(1), ms(1001), 1, "c", false))
	s.exit(0, ms(1500), 10, 0)
	s.final(0, ms(1500), 10, 50)
	s.mark(ms(2000))
	s.want("+ a[10]", "- a[10] at 5ms cpu 20ms", "+ b[10]", "- b[10] at 1.001s unknown", "+ c[10] adopted", "- c[10] at 1.5s exit 0/0 cpu 30ms")
}
