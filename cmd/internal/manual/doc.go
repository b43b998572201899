// Package manual writes a program's manual page and its completion scripts for
// bash, zsh and fish, all from its tree of commands and flags, so that they
// say what the program does. It makes text only; installing it is scripts/install.sh's.
package manual
