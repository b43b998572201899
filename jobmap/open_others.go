//go:build !linux

package jobmap

import (
	"errors"
	"os"
)

func openBeneath(string, string) (*os.File, error) { return nil, errors.ErrUnsupported }
