package procconn

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// usableCPUs lists the CPUs that readers go to: online, allowed to this process,
// not isolated.
func usableCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(os.Getpid(), &set); err != nil {
		return nil, fmt.Errorf("affinity: %w", err)
	}
	var allowed []int
	for cpu, left := 0, set.Count(); left > 0; cpu++ {
		if set.IsSet(cpu) {
			allowed = append(allowed, cpu)
			left--
		}
	}
	var isolated []int
	for _, name := range [...]string{"isolated", "nohz_full"} {
		text, err := os.ReadFile("/sys/devices/system/cpu/" + name)
		if err != nil {
			continue // the kernel has no such thing
		}
		if cpus, err := parseCPUs(string(text)); err == nil { // nohz_full is "(null)" where there is none
			isolated = append(isolated, cpus...)
		}
	}
	return readerCPUs(allowed, isolated), nil
}

// lookEvery is how often the pump looks for CPUs that have come or gone.
const lookEvery = time.Second

// followCPUs gives readers to CPUs that have come, and brings back those that
// the kernel has moved away. A reader whose CPU has gone waits for its return.
func (s *Source) followCPUs(now time.Time) {
	if s.cfg.CPUs != nil || now.Sub(s.looked) < lookEvery {
		return
	}
	s.looked = now
	if s.widened {
		s.narrow()
	}
	cpus, err := usableCPUs()
	if err != nil || slices.Equal(cpus, s.cpus) {
		return
	}
	for _, cpu := range cpus {
		if slices.Contains(s.cpus, cpu) {
			continue
		}
		if err := s.join(cpu); err != nil {
			s.cfg.Logger.Warn("a CPU has come; its programs are seen, but more of them may vanish unread", "cpu", cpu, "error", err)
		}
	}
	s.cpus = cpus
}

// join makes a reader for a CPU that has come, or brings its reader back there.
func (s *Source) join(cpu int) error {
	if i := slices.IndexFunc(s.readers, func(r *reader) bool { return r.cpu == cpu }); i >= 0 {
		return s.readers[i].repin()
	}
	if len(s.readers) >= maxReaders {
		return fmt.Errorf("there are %d readers already", len(s.readers))
	}
	r, err := newReader(place{cpu, cpuRange{uint32(cpu), uint32(cpu)}}, &s.cfg, len(s.readers)+1)
	if err != nil {
		return err
	}
	s.joined[cpu] = uint64(s.clock.Monotonic())
	s.readers = append(s.readers, r)
	s.widened = true
	return s.start(r)
}

// narrow takes from the readers what those that came later tell now.
func (s *Source) narrow() {
	s.widened = false
	later := slices.Sorted(maps.Keys(s.joined))
	for _, r := range s.readers {
		left := r.takes.without(later)
		if _, ok := s.joined[r.cpu]; ok || slices.Equal(left, []cpuRange{r.takes}) {
			continue
		}
		if err := r.refilter(left); err != nil {
			s.cfg.Logger.Warn("a reader reads what another reads, too", "cpu", r.cpu, "error", err)
		}
	}
}
