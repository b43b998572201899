//go:build !linux

package main

import "net"

// peer knows nobody here: a token is needed.
func peer(net.Conn) (uid uint32, known bool) { return 0, false }
