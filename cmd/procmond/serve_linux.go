package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"procmon/collector"
)

// flushTime is how long a flush may take before it says that it failed.
const flushTime = 30 * time.Second

// serve answers on the control socket and, if wanted, for Prometheus. What
// can't be served is said and left: collecting goes on.
func (d *parts) serve(ctx context.Context, c *collector.Collector) {
	var servers []*http.Server
	start := func(l net.Listener, h http.Handler) {
		// Short of everything: whoever can connect must not be able to hold much.
		s := &http.Server{
			Handler: h, ConnContext: withCaller, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
			WriteTimeout: flushTime + 10*time.Second, IdleTimeout: 15 * time.Second, MaxHeaderBytes: 8 << 10,
		}
		servers = append(servers, s)
		go func() { _ = s.Serve(l) }() // ends with Close
	}
	if path := d.settings.ControlSocket; path != "off" {
		if l, err := listenControl(path); err != nil {
			d.logger.Error("control socket", "error", err)
		} else {
			start(&callers{Listener: l}, d.controlHandler(c))
		}
	}
	if address := d.settings.MetricsAddress; address != "off" {
		if l, err := net.Listen("tcp", address); err != nil {
			d.logger.Error("metrics", "error", err)
		} else {
			registry := prometheus.NewRegistry()
			registry.MustRegister(c)
			mux := http.NewServeMux()
			mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
			const scrapers = 16 // at once
			start(netutil.LimitListener(l, scrapers), mux)
		}
	}
	<-ctx.Done()
	for _, s := range servers {
		_ = s.Close()
	}
}

// listenControl makes the socket. Everybody may connect: the daemon decides by
// who asks what. One that a dead daemon left is replaced.
func listenControl(path string) (net.Listener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("%s: another procmond answers there", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

func (d *parts) controlHandler(c *collector.Collector) http.Handler {
	mux, all := http.NewServeMux(), http.NewServeMux()
	all.Handle("/", masters(mux))
	if path := d.settings.IndexPath; path != "off" {
		if desk, err := newDesk(path); err != nil {
			d.logger.Error("users can't ask about their runs", "error", err)
		} else {
			all.Handle("POST /mine", desk)
		}
	}
	answer := func(w http.ResponseWriter, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
	mux.HandleFunc("POST /flush", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), flushTime)
		defer cancel()
		answer(w, c.Flush(ctx))
	})
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, _ *http.Request) {
		err := d.apps.reload()
		if d.syslog != nil {
			err = errors.Join(err, d.syslog.Reopen())
		}
		answer(w, err)
	})
	mux.HandleFunc("POST /stats", func(w http.ResponseWriter, _ *http.Request) {
		figures := c.Stats()
		for place, n := range c.Losses() {
			name := place.Reason + " (" + place.Where + ")"
			if n.Events > 0 {
				figures["lost: "+name] = n.Events
			}
			if n.Gaps > 0 {
				figures["gaps: "+name] = n.Gaps
			}
		}
		if d.syslog != nil {
			st := d.syslog.Stats()
			figures["syslog_sent"], figures["syslog_lost"] = st.Sent, st.Lost
			figures["syslog_spooled"], figures["syslog_reconnects"] = st.Spooled, st.Reconnects
		}
		answer(w, json.NewEncoder(w).Encode(figures))
	})
	return all
}
