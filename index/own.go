package index

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// OpenOwn opens the index at path for the questions of one user: every view shows the rows of
// that uid only, whatever is asked, but for losses, which are nobody's. Totals are those of the user's
// history; other views that don't tell whose a row is are empty. Tables are not narrowed, so whoever asks must not choose the SQL; Info
// counts everybody's runs. The errors are those of OpenReader.
func OpenOwn(ctx context.Context, path string, uid uint32) (*Reader, error) {
	all, err := OpenReader(ctx, path)
	if err != nil {
		return nil, err
	}
	narrow, err := all.narrow(ctx, uid)
	if err := errors.Join(err, all.Close()); err != nil {
		return nil, explain(path, err)
	}
	dsn, err := fileURI(path, url.Values{"mode": {"ro"}, "_busy_timeout": {"5000"}, "_query_only": {"1"}})
	if err != nil {
		return nil, err
	}
	r := &Reader{db: openDBWith(dsn, narrow), path: path}
	if err := r.check(ctx); err != nil {
		return nil, errors.Join(explain(path, err), r.db.Close())
	}
	return r, nil
}

// narrow gives the statements that put views of one user's rows before the index's own, on
// every connection: names are looked up among temporary views first.
func (r *Reader) narrow(ctx context.Context, uid uint32) ([]string, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT v.name, EXISTS (SELECT 1 FROM pragma_table_info(v.name) c WHERE c.name = 'uid'),
		(SELECT group_concat('"' || c.name || '"') FROM pragma_table_info(v.name) c)
		FROM sqlite_master v WHERE v.type = 'view' AND v.name <> 'losses'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	// What is sorted stays in memory: a service may have no place for temporary files.
	list := []string{"PRAGMA temp_store = MEMORY", "PRAGMA query_only = 0"}
	for rows.Next() {
		var name, columns string
		var says bool
		if err := rows.Scan(&name, &says, &columns); err != nil {
			return nil, err
		}
		from, whose := name, "0"
		if name == "totals" { // it has no more columns than history, and sums of that
			from, says = "history", true
		}
		if says {
			whose = fmt.Sprintf("uid = %d", uid)
		}
		quoted := func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
		list = append(list, fmt.Sprintf("CREATE TEMP VIEW %s AS SELECT %s FROM main.%s WHERE %s", quoted(name), columns, quoted(from), whose))
	}
	return append(list, "PRAGMA query_only = 1"), rows.Err()
}
