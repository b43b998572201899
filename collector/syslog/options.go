package syslog

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

// Errors of Open, wrapped with the value at fault.
var (
	ErrAddress = errors.New("syslog address not understood")
	ErrOption  = errors.New("syslog option out of range")
)

// Schema is how a record is laid out in a line.
type Schema string

// The schemas.
const (
	SchemaECS     Schema = "ecs"     // nested, Elastic Common Schema names; the default
	SchemaClassic Schema = "classic" // flat, the seven fields of procmon 1 and the job and application
)

// Limits of Options.MaxBytes and its defaults.
const (
	minLine      = 3072
	maxLine      = 1 << 20
	maxUnixLine  = 128 << 10   // SO_SNDBUF must hold a datagram, net.core.wmem_max is 212,992 by default
	maxUDPLine   = 65507       // IPv4 datagram less IP and UDP headers
	ownLine      = 60_000      // rsyslog with maxMessageSize="64k" cuts at 65,497
	foreignLine  = 8_000       // rsyslog's default cuts at 8,192, header included
	defaultSpool = 256 << 20   // bytes
	ringLines    = 64          // sent again after a reconnect
	ringBytes    = 1 << 20     // of the lines beyond these
	minSpool     = int64(4096) // bytes
)

// Options say where lines go and what they look like.
type Options struct {
	// Address is auto, unix:PATH, udp:HOST:PORT, tcp:HOST:PORT, tls:HOST:PORT,
	// file:PATH or "-" for standard output. auto is OwnSocket if it is there,
	// else /dev/log.
	Address string
	Schema  Schema // empty: SchemaECS

	// MaxBytes is the longest message, its syslog header included and its
	// final line feed not, 3,072 to 1 MiB (128 KiB on a Unix socket, 65,507 by
	// UDP). 0: 60,000 to OwnSocket, a file and standard output, else 8,000,
	// which is what a syslog server takes unless it was told otherwise.
	MaxBytes int

	CommandLine bool   // add process.command_line beside process.args
	Host        string // for the records that carry none, and the headers of remote messages

	// Spool is a directory of the sink's own, made if missing. Empty: no spool,
	// and Write fails while the receiver refuses.
	Spool    string
	SpoolMax int64 // bytes, at least 4,096; 0: 256 MiB

	TLS    *tls.Config      // of tls addresses; nil: the system's authorities, the host's name
	Stdout io.Writer        // for address "-"; nil: os.Stdout
	Logger *slog.Logger     // nil: none
	Now    func() time.Time // of the headers of messages; nil: time.Now
}

// Stats counts since Open.
type Stats struct {
	Sent       uint64 // lines taken by the receiver, repeats included
	Spooled    uint64 // lines that went to the spool first
	Lost       uint64 // lines that will never be sent
	Reconnects uint64 // connections made after the first one
	SpoolBytes int64  // in the spool now
}

// withDefaults fills in what was left out and refuses what can't work.
func (o Options) withDefaults(a address) (Options, error) {
	if o.Schema == "" {
		o.Schema = SchemaECS
	}
	if o.Schema != SchemaECS && o.Schema != SchemaClassic {
		return o, fmt.Errorf("%w: schema %q: use ecs or classic", ErrOption, string(o.Schema))
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = a.defaultMax()
	}
	if top := a.topMax(); o.MaxBytes < minLine || o.MaxBytes > top {
		return o, fmt.Errorf("%w: max_bytes %d: use %d to %d for %s", ErrOption, o.MaxBytes, minLine, top, a)
	}
	if o.SpoolMax == 0 {
		o.SpoolMax = defaultSpool
	}
	if o.SpoolMax < minSpool {
		return o, fmt.Errorf("%w: spool of %d bytes: use %d or more", ErrOption, o.SpoolMax, minSpool)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}
