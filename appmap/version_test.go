package appmap

import (
	"testing"
)

func TestUpstream(t *testing.T) {
	for in, want := range map[string]string{
		"2023.3-foss-2023a-CUDA-12.1.1": "2023.3",
		"7.1-1-gompi-2023a":             "7.1-1",
		"240920_2-intel-2024a-ELPA":     "240920_2",
		"9.0-gcc11-openmpi4":            "9.0",
		"4.1.5_openmpi":                 "4.1.5",
		"2.3.5.1-linux-x86_64":          "2.3.5.1",
		"2Aug2023_update2-foss-2023a":   "2Aug2023_update2",
		"29Sep2021":                     "29Sep2021",
		"v18.17.1":                      "18.17.1",
		"r7771":                         "r7771",
		"R2022b":                        "R2022b",
		"2.7.10b":                       "2.7.10b",
		"3.0-rc1":                       "3.0-rc1",
		"2.0.1+cu117":                   "2.0.1",
		"1.0.4-GCC-13.2.0":              "1.0.4",
		"5.2.4-2.0502.9774.31.11.gem":   "5.2.4-2.0502.9774.31.11.gem",
		"2022":                          "2022",
		"":                              "",
		"v":                             "",
		"bin":                           "",
		"64":                            "",
		"64bit":                         "",
		"3d":                            "",
		"x86_64":                        "",
		"0a1b2c3d4e5f6071":              "",
		"run42":                         "",
		"-1":                            "",
		"1..2":                          "",
	} {
		if got := upstream(in); got != want {
			t.Errorf("upstream(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSplitNameVersion(t *testing.T) {
	tests := []struct{ in, name, version string }{
		{"bowtie2-2.3.5.1-linux-x86_64", "bowtie2", "2.3.5.1"},
		{"osu-micro-benchmarks-7.2", "osu-micro-benchmarks", "7.2"},
		{"bwa_0.7.17", "bwa", "0.7.17"},
		{"OpenFOAM-v2212", "OpenFOAM", "2212"},
		{"q-e-qe-7.2", "q-e-qe", "7.2"},
		{"linux-x86_64", "", ""},
		{"samtools", "", ""},
		{"-1.2", "", ""},
		{"a-", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			name, version := splitNameVersion(tt.in)
			if name != tt.name || version != tt.version {
				t.Errorf("got %q %q, want %q %q", name, version, tt.name, tt.version)
			}
		})
	}
}

func TestDebianUpstream(t *testing.T) {
	for in, want := range map[string]string{
		"2022.5-2":              "2022.5",
		"1:1.35.0-4+deb12u1+b1": "1.35.0",
		"3.1.0+ds-7":            "3.1.0",
		"2.24+dfsg-3+b1":        "2.24",
		"1.2.3~dfsg1-1":         "1.2.3",
		"6.0.2-2":               "6.0.2",
		"1.2+really1.1-3":       "1.1",
		"4.5.6":                 "4.5.6",
		"1.0~rc2-1":             "1.0~rc2",
		"0.1+git20200101-1":     "0.1",
		"4.2.2.20221110-2":      "4.2.2",
		"1.0.20210914-1":        "1.0.20210914", // here the day is the version's third number
		"3.20221126-1":          "3.20221126",
		"1.2.3.20221350-1":      "1.2.3.20221350",
	} {
		if got := debianUpstream(in); got != want {
			t.Errorf("debianUpstream(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOtherUpstreams(t *testing.T) {
	if got := rpmUpstream("1.2^20230101gitabc"); got != "1.2" {
		t.Errorf("rpm: %q", got)
	}
	if got := pythonUpstream("1!2.0.1+cu117"); got != "2.0.1" {
		t.Errorf("python: %q", got)
	}
}

func FuzzUpstream(f *testing.F) {
	for _, s := range []string{"2023.3-foss-2023a", "v1", "R2022b", "1.0~rc2-1", "1:2+dfsg-3", "\xff-1.2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := upstream(s)
		if len(v) > maxVersion+1 {
			t.Errorf("upstream(%q) is %d bytes", s, len(v))
		}
		if v != "" && upstream(v) != v {
			t.Errorf("upstream(%q) = %q is no fixed point: %q", s, v, upstream(v))
		}
		splitNameVersion(s)
		if len(debianUpstream(s)) > maxVersion || len(rpmUpstream(s)) > maxVersion || len(pythonUpstream(s)) > maxVersion {
			t.Errorf("%q gives a version beyond the bound", s)
		}
	})
}
