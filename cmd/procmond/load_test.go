package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

// loadWith loads a configuration from a file's text, variables and flags.
func loadWith(t *testing.T, file string, env map[string]string, args ...string) (*loaded, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "procmond.toml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	env = maps.Clone(env)
	if env == nil {
		env = map[string]string{}
	}
	if _, ok := env["PROCMON_CONFIG"]; !ok {
		env["PROCMON_CONFIG"] = path
	}
	getenv := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	var l *loaded
	action := func(c *cli.Context) (err error) { l, err = load(c, getenv); return err }
	app := &cli.App{
		Name: "procmond", Flags: flags(), Action: action, Writer: io.Discard, ErrWriter: io.Discard,
		Commands: []*cli.Command{{Name: "run", Flags: flags(), Action: action}},
	}
	err := app.RunContext(context.Background(), append([]string{"procmond"}, args...))
	return l, err
}

func value(l *loaded, key string) string {
	for _, s := range l.table() {
		if s.key == key {
			return s.value.String()
		}
	}
	return "no such key"
}

func TestLoadOrder(t *testing.T) {
	const file = "cluster = \"from-file\"\n[index]\npath = \"/from/file\"\n"
	env := map[string]string{"PROCMON_INDEX_PATH": "/from/env"}
	for _, test := range []struct {
		name, key, want, origin string
		file                    string
		env                     map[string]string
		args                    []string
	}{
		{"default", "index.path", "/var/lib/procmon/procmon.db", "", "", nil, nil},
		{"file", "index.path", "/from/file", ":3", file, nil, nil},
		{"environment over file", "index.path", "/from/env", "PROCMON_INDEX_PATH", file, env, nil},
		{"flag over environment", "index.path", "/from/flag", "--index-path", file, env, []string{"--index-path", "/from/flag"}},
		{"flag behind the command", "index.path", "/from/flag", "--index-path", file, env, []string{"run", "--index-path=/from/flag"}},
		{"flag before the command", "index.path", "/from/flag", "--index-path", file, env, []string{"--index-path=/from/flag", "run"}},
		{"the nearer flag wins", "cluster", "b", "--cluster", file, nil, []string{"--cluster=a", "run", "--cluster=b"}},
		{"a dotted key", "syslog.max_bytes", "64KiB", ":1", "syslog.max_bytes = 65536", nil, nil},
		{"a list", "exclude_uids", "0,994", ":1", "exclude_uids = [0, 994]", nil, nil},
		{"an empty list", "exclude_uids", "", "PROCMON_EXCLUDE_UIDS", "", map[string]string{"PROCMON_EXCLUDE_UIDS": ""}, nil},
		{"true", "syslog.command_line", "true", ":2", "[syslog]\ncommand_line = true", nil, nil},
		{"a flag without a value", "syslog.command_line", "true", "--syslog-command-line", "", nil, []string{"--syslog-command-line"}},
		{"patterns", "jobs.patterns", `lsf=^/lsf/(?P<job>[0-9]{1,9})\. flux=^/hpc/f/(?P<job>[^/]+)`, ":1",
			"jobs.patterns = [\n  'lsf=^/lsf/(?P<job>[0-9]{1,9})\\.', 'flux=^/hpc/f/(?P<job>[^/]+)',\n]", nil, nil},
		{"days", "index.keep_runs", "90d", ":1", "index.keep_runs = \"90d\"", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := loadWith(t, test.file, test.env, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if got := value(l, test.key); got != test.want {
				t.Errorf("%s = %q, want %q", test.key, got, test.want)
			}
			if origin := l.origin[test.key]; !strings.HasSuffix(origin, test.origin) || (test.origin == "" && origin != "") {
				t.Errorf("from %q, want %q", origin, test.origin)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, test := range []struct {
		name, file string
		args       []string
		want       []string // parts of the message
	}{
		{"unknown key", "cluster = \"a\"\n\n[index]\npth = \"/x\"\n", nil, []string{"procmond.toml:4", `unknown key "index.pth"`, `did you mean "index.path"?`}},
		{"unknown table", "[indexx]\npath = \"/x\"\n", nil, []string{":2", `"indexx.path"`, `"index.path"`}},
		{"nothing like it", "qqqqqqqqqqqqqq = 1\n", nil, []string{":1", `"procmond config" lists the keys`}},
		{"wrong type", "cluster = 1.5\n", nil, []string{":1", "cluster", "want a string"}},
		{"bad value", "[index]\n\nmax_bytes = \"lots\"\n", nil, []string{":3", "index.max_bytes", `"lots"`, "2GiB"}},
		{"bad choice", "source = \"magic\"\n", nil, []string{":1", "source", "auto, bpf, procconn"}},
		{"a pattern that is not anchored", "[jobs]\npatterns = ['lsf=/lsf/(?P<job>[0-9]+)']\n", nil, []string{":2", "jobs.patterns", "must start with ^/"}},
		{"a pattern of no scheduler", "[jobs]\npatterns = ['^/lsf/(?P<job>[0-9]+)']\n", nil, []string{":2", "jobs.patterns", "want SCHEDULER=REGEXP"}},
		{"not TOML", "cluster = \n", nil, []string{"procmond.toml:1"}},
		{"twice", "cluster = \"a\"\ncluster = \"b\"\n", nil, []string{"procmond.toml:2", "cluster"}},
		{"bad flag value", "", []string{"--start-after", "soon"}, []string{"--start-after", `"soon"`, "10s"}},
		{"negative", "start_after = \"-1s\"", nil, []string{":1", "-1s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := loadWith(t, test.file, nil, test.args...)
			if !errors.Is(err, errConfig) {
				t.Fatalf("error %v, want one of configuration", err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestLoadNamedFileMustExist(t *testing.T) {
	if _, err := loadWith(t, "", map[string]string{"PROCMON_CONFIG": "/does/not/exist"}); !errors.Is(err, errConfig) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// TestEverySettingHasItsNames: one table gives key, flag and variable, and what
// it prints it also takes.
func TestEverySettingHasItsNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range defaults().table() {
		flag, env := flagName(s.key), envName(s.key)
		if seen[s.key] || s.usage == "" || strings.ContainsAny(flag, "._") || env != strings.ToUpper(env) {
			t.Errorf("%s: flag %s, variable %s, usage %q", s.key, flag, env, s.usage)
		}
		seen[s.key] = true
		if err := s.value.Set(s.value.String()); err != nil {
			t.Errorf("%s does not take its own default: %v", s.key, err)
		}
	}
}

func TestValues(t *testing.T) {
	for _, test := range []struct{ in, want string }{{"0", "0"}, {"1024", "1KiB"}, {"2GiB", "2GiB"}, {"1_000", "1000"}, {"3 MiB", "3MiB"}, {"12B", "12"}} {
		var s size
		if err := s.Set(test.in); err != nil || s.String() != test.want {
			t.Errorf("size %q: %s, %v; want %s", test.in, s.String(), err, test.want)
		}
	}
	for _, bad := range []string{"", "-1", "x", "1TiB", "9223372036854775807GiB"} {
		var s size
		if err := s.Set(bad); !errors.Is(err, errValue) {
			t.Errorf("size %q: %v", bad, err)
		}
	}
	for _, test := range []struct{ in, want string }{{"10s", "10s"}, {"36h", "36h"}, {"48h", "2d"}, {"30d", "30d"}, {"0", "0s"}} {
		var d duration
		if err := d.Set(test.in); err != nil || d.String() != test.want {
			t.Errorf("duration %q: %s, %v; want %s", test.in, d.String(), err, test.want)
		}
	}
}

func TestUIDMin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "login.defs")
	for text, want := range map[string]uint32{"# UID_MIN 7\nUID_MIN\t\t 500\n": 500, "": 1000, "UID_MIN x\n": 1000, "SYS_UID_MIN 101\n": 1000} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := uidMin(path); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := uidMin(path + ".missing"); got != 1000 {
		t.Errorf("no file: %d", got)
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "axc", 1}, {"abc", "ab", 1}, {"", "abc", 3}, {"kitten", "sitting", 3}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("%q and %q: %d, want %d", test.a, test.b, got, test.want)
		}
	}
	if diff := cmp.Diff(`; did you mean "jobs.dir"?`, nearest("job.dir", defaults().table())); diff != "" {
		t.Error(diff)
	}
}

// TestDocumentedPatterns: the patterns that the documentation shows are taken.
func TestDocumentedPatterns(t *testing.T) {
	shown := regexp.MustCompile(`'([a-z]+=\^/[^']+)'`)
	for _, path := range []string{"../../docs/jobs.md", "../../contrib/procmond.toml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all := shown.FindAllStringSubmatch(string(text), -1)
		if len(all) == 0 {
			t.Errorf("%s shows no pattern", path)
		}
		for _, one := range all {
			if err := new(patterns).Set(one[1]); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}
