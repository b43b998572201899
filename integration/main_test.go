package integration

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fixture is what all tests of the package share.
type fixture struct {
	dir  string // reachable by every user
	tree string // the module's root
	// what /bin/true is once links are followed, as the kernel tells it
	trueProgram string
	alice       account
	bob         account
	svc         account // a system user: its uid is below UID_MIN

	build    sync.Once
	buildErr error
}

// account is a user that exists for the time of the tests.
type account struct {
	name     string
	uid, gid uint32
	home     string
}

// shared is made by TestMain and only read afterwards.
var shared *fixture

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	if os.Geteuid() != 0 {
		return m.Run() // every test that needs more skips
	}
	f, err := newFixture()
	defer f.remove()
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		return 1
	}
	shared = f
	return m.Run()
}

func newFixture() (*fixture, error) {
	f := new(fixture)
	// Not t.TempDir: its parent is closed to other users.
	dir, err := os.MkdirTemp("/tmp", "procmon-it-")
	if err != nil {
		return f, err
	}
	f.dir = dir
	if err := os.Chmod(dir, 0o755); err != nil {
		return f, err
	}
	if f.tree, err = filepath.Abs(".."); err != nil {
		return f, err
	}
	if f.trueProgram, err = filepath.EvalSymlinks("/bin/true"); err != nil {
		return f, err
	}
	for _, a := range []struct {
		to     *account
		suffix string
		flags  []string
	}{{&f.alice, "a", nil}, {&f.bob, "b", nil}, {&f.svc, "s", []string{"--system"}}} {
		if *a.to, err = f.addUser(a.suffix, a.flags...); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f *fixture) addUser(suffix string, flags ...string) (account, error) {
	a := account{name: "pmt" + strconv.Itoa(os.Getpid()) + suffix, home: filepath.Join(f.dir, "home-"+suffix)}
	args := append(flags, "--no-create-home", "--home-dir", a.home, "--shell", "/bin/sh", a.name)
	if out, err := exec.Command("useradd", args...).CombinedOutput(); err != nil {
		return account{}, fmt.Errorf("useradd %s: %w: %s", a.name, err, out)
	}
	u, err := user.Lookup(a.name)
	if err != nil {
		return a, err
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	a.uid, a.gid = uint32(uid), uint32(gid)
	return a, errors.Join(os.Mkdir(a.home, 0o755), os.Chown(a.home, int(uid), int(gid)))
}

func (f *fixture) remove() {
	for _, a := range []account{f.alice, f.bob, f.svc} {
		if a.name == "" {
			continue
		}
		if out, err := exec.Command("userdel", a.name).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "integration: userdel %s: %v: %s\n", a.name, err, out)
		}
	}
	if f.dir != "" {
		os.RemoveAll(f.dir)
	}
}

// setUp skips a test that cannot run here, and builds the programs once.
func setUp(t *testing.T) *fixture {
	t.Helper()
	if shared == nil {
		t.Skip("needs root: procmond listens to the kernel, and users are made")
	}
	shared.build.Do(func() {
		cmd := exec.Command("go", "build", "-o", shared.dir+"/bin/", "./cmd/procmond", "./cmd/procmon-report")
		cmd.Dir = shared.tree
		if out, err := cmd.CombinedOutput(); err != nil {
			shared.buildErr = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if shared.buildErr != nil {
		t.Fatal(shared.buildErr)
	}
	return shared
}

func (f *fixture) program(name string) string { return filepath.Join(f.dir, "bin", name) }

// needs skips a test when a program is missing.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs %s: %v", p, err)
		}
	}
}

// tempDir is a new directory with a short path that every user can reach.
func (f *fixture) tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(f.dir, "t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// newTag is an argument that no other run on the machine has.
func newTag() string { return fmt.Sprintf("pmtag-%d-%08x", os.Getpid(), rand.Uint32()) }

// as prepares a command of another user, with an environment of its own.
func as(t *testing.T, a account, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + a.home, "LC_ALL=C"}
	cmd.Dir = a.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.uid, Gid: a.gid}}
	return cmd
}

// output runs a command that must succeed.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%q: %v\n%s%s", cut(strings.Join(cmd.Args, " ")), err, out.Bytes(), errs.Bytes())
	}
	return out.String()
}

func cut(s string) string { return s[:min(len(s), 200)] }

// write puts a file into a user's home.
func (a *account) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(a.home, name)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, int(a.uid), int(a.gid)); err != nil {
		t.Fatal(err)
	}
	return path
}

// eventually asks until there is no error or the time is up. It is for what
// other programs do in their own time and tell nobody.
func eventually(t *testing.T, limit time.Duration, ask func() error) {
	t.Helper()
	err := ask()
	for end := time.Now().Add(limit); err != nil && time.Now().Before(end); err = ask() {
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("after %v: %v", limit, err)
	}
}
