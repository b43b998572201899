package collector

import "time"

// secondTimer fires on the next whole second. What is done every second is done
// then by all, so that an idle machine is woken once.
func secondTimer() *time.Timer { return time.NewTimer(toSecond()) }

func toSecond() time.Duration {
	now := time.Now()
	return now.Truncate(time.Second).Add(time.Second).Sub(now)
}
