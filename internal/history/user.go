package history

import (
	"fmt"
	"time"

	"procmon"
)

// person is a user with habits.
type person struct {
	uid        uint32
	name       string
	account    string
	favourites []int    // of applications
	lag        float64  // how far behind the newest version, 0 to 1
	own        *program // programs and scripts that no rule knows
}

var ownSoftware = software{exe: "a.out", kind: procmon.KindUnknown, median: 5 * time.Minute, sigma: 2, rss: 500 * mb}

func newPeople(d dice, n int) []person {
	people := make([]person, n)
	popular, accounts := zipf(len(applications), 0.9), zipf(1+n/6, 0.7)
	for i := range people {
		p := &people[i]
		p.uid, p.name = uint32(20000+i), fmt.Sprintf("u%05d", 20000+i)
		p.account = fmt.Sprintf("proj%03d", accounts.draw(d))
		for range 1 + d.IntN(4) {
			p.favourites = append(p.favourites, popular.draw(d))
		}
		p.lag = d.Float64() * d.Float64()
		p.own = &program{software: &ownSoftware, app: procmon.Application{Kind: procmon.KindUnknown, Rules: "1"},
			exe: fmt.Sprintf("/home/%s/src/model%d/solver", p.name, d.IntN(5))}
	}
	return people
}

// version chooses from the releases that are out by a part of the whole time, 0
// to 1: the newest ones, or older ones for those who lag behind.
func (p *person) version(d dice, all []*program, when float64) *program {
	out := float64(len(all)) * (0.4 + 0.6*when)
	i := int(out * (1 - p.lag) * (1 - 0.3*d.Float64()*d.Float64()))
	return all[min(i, len(all)-1)]
}
