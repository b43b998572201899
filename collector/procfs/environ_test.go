package procfs

import (
	"bytes"
	"strings"
	"testing"
)

func filter() *EnvFilter { return NewEnvFilter("SLURM_*", "PBS_*", "-PBS_JOBCOOKIE", "JOB_ID", "") }

func TestEnvFilter(t *testing.T) {
	for _, test := range []struct{ name, env, want string }{
		{"names and prefixes", "A=1\x00SLURM_JOB_ID=5\x00JOB_ID=6\x00JOB_IDX=7\x00", "SLURM_JOB_ID=5\x00JOB_ID=6\x00"},
		{"a secret", "PBS_JOBID=1\x00PBS_JOBCOOKIE=s3cret\x00PBS_JOBCOOKIE2=x\x00", "PBS_JOBID=1\x00PBS_JOBCOOKIE2=x\x00"},
		{"no NUL at the end", "JOB_ID=6", "JOB_ID=6\x00"},
		{"not variables", "SLURM_X\x00=\x00\x00JOB_ID\x00SLURM_=\x00", "SLURM_=\x00"},
		{"empty", "", ""},
		{"any bytes", "SLURM_X=\xff\n\x1b[0m\x00", "SLURM_X=\xff\n\x1b[0m\x00"},
		{"a name begun by another", "JOB=6\x00", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := string(filter().Filter([]byte(test.env))); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestEnvFilterBounds(t *testing.T) {
	long := "SLURM_A=" + strings.Repeat("x", 3*maxVariable)
	got := filter().Filter([]byte(long + "\x00SLURM_B=1\x00"))
	if len(got) != maxVariable+1+len("SLURM_B=1\x00") || !bytes.HasSuffix(got, []byte("SLURM_B=1\x00")) {
		t.Errorf("a long variable: %d bytes kept, end %q", len(got), got[max(0, len(got)-20):])
	}
	many := strings.Repeat("SLURM_A="+strings.Repeat("x", 1000)+"\x00", 1000)
	if got := filter().Filter([]byte(many)); len(got) > maxEnviron {
		t.Errorf("%d bytes kept of many variables, at most %d", len(got), maxEnviron)
	}
}

// FuzzEnvCut: an environment that comes in pieces gives what it gives whole.
func FuzzEnvCut(f *testing.F) {
	f.Add([]byte("A=1\x00SLURM_JOB_ID=5\x00JOB_ID=6"), 3)
	f.Add([]byte("\x00\x00=\x00SLURM_="), 1)
	f.Fuzz(func(t *testing.T, env []byte, size int) {
		size = 1 + abs(size)%64
		cut := envCut{filter: filter()}
		var held []byte
		for rest := env; len(rest) > 0; {
			n := min(size, len(rest))
			held = append(held, rest[:n]...)
			rest = rest[n:]
			held = held[cut.feed(held, len(rest) == 0):]
		}
		if want := filter().Filter(env); !bytes.Equal(cut.kept, want) {
			t.Errorf("in pieces of %d: %q, whole: %q", size, cut.kept, want)
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}
