package main

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"procmon"
	"procmon/index"
)

// daemonAnswers says whether a daemon listens on the control socket.
func daemonAnswers(s *Settings) bool {
	if s.ControlSocket == "off" {
		return false
	}
	conn, err := net.Dial("unix", s.ControlSocket)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// checkDaemonLoad says what the running daemon has in its index of the same
// programs.
func checkDaemonLoad(ctx context.Context, s *Settings, storm *storm) finding {
	f := finding{what: "load, as the running daemon recorded it", warn: true}
	uid, _ := nobody()
	switch {
	case s.IndexPath == "off":
		f.what += ": not looked for, it keeps no index"
		return f
	case !s.records(&procmon.Process{UID: uid}, &procmon.Job{}):
		f.what += ": not looked for, by its settings it does not record user nobody"
		return f
	}
	if err := ask(ctx, s, "flush", io.Discard); err != nil {
		f.err, f.fix = err, "see its log"
		return f
	}
	r, err := indexedLoad(ctx, s.IndexPath, storm)
	if err != nil {
		f.err, f.fix = err, "is index.path the daemon's?"
		return f
	}
	f = r.finding()
	if f.err != nil {
		f.fix += "; procmond stats tells what the daemon lost"
	}
	return f
}

// indexedLoad counts a load's runs in an index. A run whose argument is not known
// is told by its parent.
func indexedLoad(ctx context.Context, path string, storm *storm) (r loadResult, err error) {
	r = loadResult{source: "running daemon", started: loadRuns, lost: map[string]uint64{}, lacking: map[string]int{}}
	reader, err := index.OpenReader(ctx, path)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	each := func(row func(*sql.Rows) error, query string, args ...any) error {
		rows, err := reader.DB().QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := row(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
	var parents []string
	for _, pid := range storm.pids() {
		parents = append(parents, strconv.Itoa(pid))
	}
	uid, _ := nobody()
	began := storm.began.UnixMicro()
	return r, errors.Join(
		each(r.indexedRuns, `SELECT coalesce(missing, ''), executable IS NULL, cpu_seconds IS NULL, exit_code IS NOT 0, count(*) FROM runs
			WHERE run_id >= ? AND uid = ? AND (command_line GLOB ? OR command_line IS NULL AND coalesce(ppid, 0) IN (0, `+strings.Join(parents, ", ")+`))
			GROUP BY 1, 2, 3, 4`, began, uid, "* "+storm.tag+"-[0-9]*"),
		each(r.indexedLoss, `SELECT reason, coalesce(source, ''), coalesce("count", 0) FROM losses WHERE "to" >= ?`, float64(began)/1e6))
}

func (r *loadResult) indexedRuns(rows *sql.Rows) error {
	var missing string
	var noExe, noUsage, badExit bool
	var n int
	if err := rows.Scan(&missing, &noExe, &noUsage, &badExit, &n); err != nil {
		return err
	}
	var lacks []string
	if missing != "" {
		lacks = strings.Split(missing, ",")
	}
	for field, lacking := range map[string]bool{"exe": noExe, "usage": noUsage, "exit code": badExit} {
		if lacking && !slices.Contains(lacks, field) {
			lacks = append(lacks, field)
		}
	}
	r.count(lacks, n)
	return nil
}

func (r *loadResult) indexedLoss(rows *sql.Rows) error {
	var reason, where string
	var n uint64
	if err := rows.Scan(&reason, &where, &n); err != nil {
		return err
	}
	r.lose(reason, where, n)
	return nil
}
