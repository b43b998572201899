package report

import (
	"fmt"
	"slices"
	"strings"
)

// UnknownError is a name that does not exist, with those that do.
type UnknownError struct {
	What  string   // "dimension", "column"
	Name  string   // as it was given
	Known []string // all that exist, in order
	Near  string   // the one that was probably meant, or empty
}

func (e *UnknownError) Error() string {
	s := fmt.Sprintf("unknown %s %q", e.What, e.Name)
	if e.Near != "" {
		s += fmt.Sprintf(", did you mean %q?", e.Near)
	}
	return s + " (known: " + strings.Join(e.Known, ", ") + ")"
}

func unknown[T ~string](what, name string, known []T) *UnknownError {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	return &UnknownError{What: what, Name: name, Known: names, Near: Nearest(name, names)}
}

// Nearest is the known name that was probably meant: the one the fewest typing
// errors away, at most one in three letters, or else one that begins with it or
// that it begins with. It is empty when none is near.
func Nearest(name string, known []string) string {
	name = strings.ToLower(name)
	if len(name) > 64 { // nobody's typing error
		return ""
	}
	best, bestDistance := "", len(name)/3+1
	for _, k := range known {
		if d := distance(name, k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best != "" || name == "" {
		return best
	}
	for _, k := range known {
		if strings.HasPrefix(k, name) {
			return k
		}
	}
	for _, k := range known {
		if strings.HasPrefix(name, k) && k != "" {
			return k
		}
	}
	return ""
}

// distance counts the letters to insert, remove, replace or swap.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = slices.Min([]int{rows[i-1][j] + 1, rows[i][j-1] + 1, rows[i-1][j-1] + change})
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
