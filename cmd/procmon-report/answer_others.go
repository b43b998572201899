//go:build !linux

package main

import (
	"errors"

	"github.com/urfave/cli/v2"
)

func (w *world) answerUser(*cli.Context) error {
	return errors.New("there is no procmond on this system")
}
