package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
)

// ask sends one question to the running daemon.
func ask(ctx context.Context, s *Settings, question string, w io.Writer) error {
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", s.ControlSocket)
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://procmond/"+question, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%s: is procmond running, and are you root? (control.socket = %s): %w", question, s.ControlSocket, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", question, body)
	}
	if question != "stats" {
		return nil
	}
	var figures map[string]uint64
	if err := json.Unmarshal(body, &figures); err != nil {
		return fmt.Errorf("stats: %w", err)
	}
	width := 20
	for name := range figures {
		width = max(width, len(name))
	}
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		if _, err := fmt.Fprintf(w, "%-*s %d\n", width, name, figures[name]); err != nil {
			return err
		}
	}
	return nil
}
