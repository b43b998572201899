package procmon_test

import (
	"testing"

	"procmon"
)

func TestAddFollowsTheMaximum(t *testing.T) {
	exact, bound := false, true
	for _, test := range []struct {
		name             string
		had, more        procmon.Usage
		wantBytes        uint64
		wantUpperBoundIs bool
	}{
		{"nothing known", procmon.Usage{}, procmon.Usage{}, 0, exact},
		{"first", procmon.Usage{}, procmon.Usage{MaxRSS: 4096, RSSBound: bound}, 4096, bound},
		{"larger bound", procmon.Usage{MaxRSS: 4096}, procmon.Usage{MaxRSS: 8192, RSSBound: bound}, 8192, bound},
		{"larger exact", procmon.Usage{MaxRSS: 4096, RSSBound: bound}, procmon.Usage{MaxRSS: 8192}, 8192, exact},
		{"smaller bound", procmon.Usage{MaxRSS: 8192}, procmon.Usage{MaxRSS: 4096, RSSBound: bound}, 8192, exact},
		{"smaller exact", procmon.Usage{MaxRSS: 8192, RSSBound: bound}, procmon.Usage{MaxRSS: 4096}, 8192, bound},
		{"equal, one exact", procmon.Usage{MaxRSS: 4096, RSSBound: bound}, procmon.Usage{MaxRSS: 4096}, 4096, exact},
		{"equal bounds", procmon.Usage{MaxRSS: 4096, RSSBound: bound}, procmon.Usage{MaxRSS: 4096, RSSBound: bound}, 4096, bound},
	} {
		u := test.had
		if u.Add(test.more); u.MaxRSS != test.wantBytes || u.RSSBound != test.wantUpperBoundIs {
			t.Errorf("%s: %d, bound %v", test.name, u.MaxRSS, u.RSSBound)
		}
	}
}
