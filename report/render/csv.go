package render

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"procmon/report"
)

// writeCSV writes a header and the rows: exact numbers, times as RFC 3339 in
// UTC, lists joined by ";", nothing for what is not known.
func writeCSV(w io.Writer, t *report.Table) error {
	return csvRows(w, t.Columns, t.Rows)
}

func csvRows(w io.Writer, columns []report.Column, rows [][]any) error {
	c := csv.NewWriter(w)
	line := make([]string, len(columns))
	for i, column := range columns {
		line[i] = column.Name
	}
	if err := c.Write(line); err != nil {
		return err
	}
	for _, row := range rows {
		for i, v := range row {
			line[i] = csvValue(v)
		}
		if err := c.Write(line); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func csvValue(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []string:
		return noFormula(strings.Join(v, ";"))
	default:
		return noFormula(fmt.Sprint(v))
	}
}

// noFormula puts a quote before text that a spreadsheet would run.
func noFormula(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
