package syslog

import (
	"strconv"
	"time"
)

// Message headers. <14> is facility user, severity info (RFC 3164, 4.1.1). The
// cookie tells the receiver that JSON follows.
const (
	priority   = "<14>"
	tag        = "procmon"
	cookie     = "@cee: "
	stampBSD   = "Jan _2 15:04:05"               // RFC 3164, local time
	stampIETF  = "2006-01-02T15:04:05.000000Z"   // RFC 5424, 6.2.3; also of the JSON lines
	maxHost    = 255                             // RFC 5424, 6
	frameExtra = len("1048576 ") + len(priority) // octet count and priority, at most
)

// framing puts the header of one transport before a line.
type framing struct {
	form byte // 'b' bare, 'l' local (RFC 3164), 'd' RFC 5424 datagram, 's' RFC 5424 with octet counts (RFC 6587, 3.4.1)
	host string
}

func newFraming(a address, host string) framing {
	f := framing{form: 'l', host: headerHost(host)}
	switch a.kind {
	case "file", "-":
		f.form = 'b'
	case "udp":
		f.form = 'd'
	case "tcp", "tls":
		f.form = 's'
	}
	return f
}

// overhead is how much longer than its line a message is at most, but for the
// line feed that ends a bare line.
func (f framing) overhead() int {
	switch f.form {
	case 'b':
		return 0
	case 'l':
		return len(priority + stampBSD + " " + tag + ": " + cookie)
	}
	return frameExtra + len("1 "+stampIETF+" "+" "+tag+" - - - "+cookie) + len(f.host)
}

// append adds the message of one line to dst.
func (f framing) append(dst, line []byte, now time.Time) []byte {
	switch f.form {
	case 'b':
		return append(append(dst, line...), '\n')
	case 'l':
		// Without a host name: local receivers put their own there.
		dst = now.Local().AppendFormat(append(dst, priority...), stampBSD)
		dst = append(dst, " "+tag+": "+cookie...)
		return append(dst, line...)
	case 's':
		n := len(priority+"1 "+stampIETF+" "+" "+tag+" - - - "+cookie) + len(f.host) + len(line)
		dst = append(strconv.AppendInt(dst, int64(n), 10), ' ')
	}
	dst = now.UTC().AppendFormat(append(dst, priority+"1 "...), stampIETF)
	dst = append(append(dst, ' '), f.host...)
	dst = append(dst, " "+tag+" - - - "+cookie...)
	return append(dst, line...)
}

// headerHost makes a host name fit for a header: printable ASCII without
// spaces, "-" for none (RFC 5424, 6.2.4).
func headerHost(host string) string {
	b := make([]byte, 0, min(len(host), maxHost))
	for i := 0; i < len(host) && len(b) < maxHost; i++ {
		if c := host[i]; c > ' ' && c < 0x7f {
			b = append(b, c)
		}
	}
	if len(b) == 0 {
		return "-"
	}
	return string(b)
}
