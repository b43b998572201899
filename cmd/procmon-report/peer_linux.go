package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// peer finds whose program is at the other end of a connection: of a UNIX
// socket the kernel tells it, of one within this machine /proc/net.
func peer(conn net.Conn) (uid uint32, known bool) {
	switch c := conn.(type) {
	case *net.UnixConn:
		raw, err := c.SyscallConn()
		if err != nil {
			return 0, false
		}
		var cred *unix.Ucred
		if cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); cerr != nil || err != nil {
			return 0, false
		}
		return cred.Uid, true
	case *net.TCPConn:
		theirs, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil {
			return 0, false
		}
		ours, err := netip.ParseAddrPort(c.LocalAddr().String())
		if err != nil || !theirs.Addr().IsLoopback() {
			return 0, false
		}
		for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
			f, err := os.Open(name)
			if err != nil {
				continue
			}
			uid, known = socketUser(f, theirs, ours)
			_ = f.Close()
			if known {
				return uid, true
			}
		}
	}
	return 0, false
}

// socketUser finds the user of the established socket between two ends in
// /proc/net/tcp or tcp6 (proc_net_tcp.rst of the kernel's documentation).
func socketUser(table io.Reader, local, remote netip.AddrPort) (uid uint32, known bool) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		const established = "01"
		if len(f) < 8 || f[3] != established {
			continue
		}
		a, ok := socketAddress(f[1])
		if !ok || a != unmapped(local) {
			continue
		}
		if b, ok := socketAddress(f[2]); !ok || b != unmapped(remote) {
			continue
		}
		n, err := strconv.ParseUint(f[7], 10, 32)
		return uint32(n), err == nil
	}
	return 0, false
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// socketAddress reads "0100007F:1F90": the words of an address, each as this
// machine's number, and the port.
func socketAddress(s string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	n, perr := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || perr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), ok
}
