package mine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"procmon/report"
)

// Errors of Ask.
var (
	ErrBusy   = errors.New("the daemon has too many questions to answer")
	ErrDaemon = errors.New("the daemon could not answer")
)

// patience is how long Ask goes on asking a daemon that is busy.
const patience = 20 * time.Second

// Ask asks the daemon at a socket. It waits as long as the daemon says when that has other questions to answer.
func Ask(ctx context.Context, socket string, q *Question) (*Answer, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	for until := time.Now().Add(patience); ; {
		a, wait, err := ask(ctx, client, body)
		if wait == 0 {
			return a, err
		}
		if time.Now().Add(wait).After(until) {
			return nil, ErrBusy
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// ask asks once; wait is when to ask again.
func ask(ctx context.Context, client *http.Client, body []byte) (a *Answer, wait time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://procmond/mine", bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		if a, err = Read(resp.Body); err != nil {
			return nil, 0, fmt.Errorf("%w: %w", ErrDaemon, err)
		}
		return a, 0, a.err()
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return nil, time.Duration(max(1, seconds)) * time.Second, nil
	}
	const sentence = 1 << 10
	said, err := io.ReadAll(io.LimitReader(resp.Body, sentence))
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrDaemon, err)
	}
	return nil, 0, fmt.Errorf("%w: %s", ErrDaemon, strings.TrimSpace(string(said)))
}

// fault is an answer's fault as an error: one of package report's, with the daemon's words.
type fault struct {
	kind error
	why  string
}

func (f fault) Error() string { return f.why }
func (f fault) Unwrap() error { return f.kind }

func (a *Answer) err() error {
	switch a.Fault {
	case None:
		return nil
	case Wrong:
		return fault{report.ErrQuery, a.Why}
	case NoJob:
		return fault{report.ErrNoJob, a.Why}
	}
	return fmt.Errorf("%w: %s", ErrDaemon, a.Why)
}
