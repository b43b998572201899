package main

import (
	"errors"
	"io"
	"syscall"
)

// errEnough is what writing says when whoever reads has enough, such as head -1: no failure.
var errEnough = errors.New("nobody reads any more")

// outlet is what answers are written to. Its reader may leave: that is told apart from a
// socket of a daemon which breaks, of which an answer is missing.
type outlet struct{ io.Writer }

func (o outlet) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		err = errEnough
	}
	return n, err
}

// enough says whether an error is errEnough and nothing else.
func enough(err error) bool {
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		return errors.Is(err, errEnough)
	}
	for _, one := range all.Unwrap() {
		if !enough(one) {
			return false
		}
	}
	return true
}
