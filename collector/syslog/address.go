package syslog

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// OwnSocket is where contrib/rsyslog listens for procmon alone. Messages to it
// pass neither journald nor a rate limit.
const OwnSocket = "/run/procmon/log.sock"

const devLog = "/dev/log"

// address is a parsed Options.Address.
type address struct {
	kind string // "auto", "unix", "udp", "tcp", "tls", "file", "-"
	dest string // path or host:port; empty for auto and "-"
}

// parseAddress takes apart an address. It looks nothing up.
func parseAddress(s string) (address, error) {
	if s == "auto" || s == "-" {
		return address{kind: s}, nil
	}
	kind, dest, ok := strings.Cut(s, ":")
	if !ok {
		return address{}, fmt.Errorf("%w: %q: use auto, unix:PATH, udp:HOST:PORT, tcp:HOST:PORT, tls:HOST:PORT, file:PATH or -", ErrAddress, s)
	}
	switch kind {
	case "unix", "file":
		if !filepath.IsAbs(dest) {
			return address{}, fmt.Errorf("%w: %q: the path must be absolute", ErrAddress, s)
		}
	case "udp", "tcp", "tls":
		host, port, err := net.SplitHostPort(dest)
		if err != nil || host == "" {
			return address{}, fmt.Errorf("%w: %q: use %s:HOST:PORT, an IPv6 address in brackets", ErrAddress, s, kind)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return address{}, fmt.Errorf("%w: %q: port %q is not 1 to 65535", ErrAddress, s, port)
		}
	default:
		return address{}, fmt.Errorf("%w: %q: %q is not one of auto, unix, udp, tcp, tls, file", ErrAddress, s, kind)
	}
	return address{kind, dest}, nil
}

func (a address) String() string {
	if a.dest == "" {
		return a.kind
	}
	return a.kind + ":" + a.dest
}

func (a address) defaultMax() int {
	if a.kind == "file" || a.kind == "-" || a.kind == "unix" && a.dest == OwnSocket {
		return ownLine
	}
	return foreignLine
}

func (a address) topMax() int {
	switch a.kind {
	case "unix", "auto":
		return maxUnixLine
	case "udp":
		return maxUDPLine
	}
	return maxLine
}
